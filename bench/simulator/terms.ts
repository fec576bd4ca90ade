import type { Identity } from './transport';

export const TRANSPORT_NAMES = ['sse', 'ws'] as const;
export type TransportName = (typeof TRANSPORT_NAMES)[number];

/** A fault that the benchmark has to find: one result is never sent but called sent, or one command is run twice. */
export const PLANTED_FAULTS = ['drop-result', 'double-result'] as const;
export type PlantedFault = (typeof PLANTED_FAULTS)[number];

/** `full`: session, start and result, as the agent does it. `brief`: an event source and a result, the agent of twenty lines. */
export type Conduct = 'full' | 'brief';

export interface FleetSettings {
  url: string;
  identities: Identity[];
  transport: TransportName;
  conduct: Conduct;
  /** Whether each command writes a line on both output streams. */
  output: boolean;
  /** Milliseconds that each command takes. */
  workMs: number;
  /** Keep-alive connections for all that the agents say over HTTP. */
  sockets: number;
  faults?: PlantedFault[];
}

/** One execution of one command, written down by the side that ran it. Times are milliseconds of `now()`. */
export interface Life {
  id: string;
  clientId: string;
  attempt: number;
  priority: number;
  arrivedAt: number;
  /** When the server's 2xx to the result was here. */
  durableAt: number;
  data: Record<string, unknown>;
}

export interface Tally {
  connected: number;
  arrived: number;
  settled: number;
  /** Frames of an attempt that was known already. */
  repeated: number;
  /** Answers that no agent should get, the first of each kind. */
  troubles: string[];
  /** Links that were not opened at the first try. */
  reopened: number;
}
