/** What travels between server and agent, as JSON; times are UTC ISO 8601, durations milliseconds. */

/** `data` of `event: command` on an agent's stream. `attempt` is the fencing token of one execution. */
export interface CommandFrame {
  id: string;
  action: string;
  payload: Record<string, unknown>;
  priority: number;
  attempt: number;
  timeoutMs: number;
  /** The W3C trace context that its execution continues; the agent brings it, or that of a span of its own, with the start and the result. */
  traceparent?: string;
}

/** `data` of `event: cancel`: do not start this attempt, or kill it and report the reason as its `outcome`; `cancelled` when none is given. */
export interface CancelFrame {
  id: string;
  attempt: number;
  reason?: 'cancelled' | 'timed_out';
}

/** Why a stream is closed, as `data` of `event: bye`. */
export interface ByeFrame {
  reason: 'replaced' | 'shutdown' | 'revoked' | 'silent';
}

/** `data` of `event: update`: the server has another version of the agent now, as `agentVersion` of a session says it. Nobody has to heed it. */
export interface UpdateFrame {
  version: string;
}

/** Bounds of `aliveEveryMs`, by which an agent promises on its event stream to be heard that often. */
export const ALIVE_EVERY_MS = { least: 1_000, most: 300_000 };

/** One text message on a WebSocket, from server to agent. `hello`, `command`, `cancel`, `update` and `bye` are those of the event stream. */
export interface ServerFrame {
  event: string;
  /** The event's id, as on an event stream. */
  id?: string;
  /** Of `answer`, and of `error` where it could be read: the agent's frame that is meant. */
  ref?: number;
  data: unknown;
}

/** `data` of `event: answer`: what the call of the same name would have answered over HTTP; a problem document from 400 on. */
export interface FrameAnswer {
  status: number;
  body?: unknown;
}

export const AGENT_EVENTS = ['session', 'start', 'output', 'result'] as const;
export type AgentEvent = (typeof AGENT_EVENTS)[number];

/**
 * One text message on a WebSocket, from agent to server. `data` is the body of the call of the same name over HTTP, and, but for
 * `session`, the `id` of the command beside it. `ref` is a number of the agent's choice, from 0, that the answer repeats. `traceparent` is
 * what the header of that name is over HTTP, and only for a server that has given one with the command.
 */
export interface AgentFrame {
  event: AgentEvent;
  ref: number;
  data: object;
  traceparent?: string;
}

/** Of an agent's frame: room for every body that HTTP takes (1 MiB), and for what stands around it. */
export const MAX_FRAME_BYTES = (1 << 20) + 1024;

export interface InFlightEntry {
  id: string;
  attempt: number;
  state: 'received' | 'started' | 'finished';
}

/** Body of `POST /api/agents/session`. */
export interface SessionRequest {
  version: string;
  platform: string;
  actions: { name: string; schema?: Record<string, unknown> }[];
  inFlight: InFlightEntry[];
  rolledBack?: RolledBack;
  /** Which session of the agent's it is, so that one that arrives late or again is told from the latest. */
  ordinal?: SessionOrdinal;
}

/** `late`: it had no connection in time; `ended`: it ended as often as it may before it had one; `damaged`: its file was not whole. */
export const ROLLBACK_REASONS = ['late', 'ended', 'damaged'] as const;
export type RollbackReason = (typeof ROLLBACK_REASONS)[number];

/** The version, newer than the one that runs, that the agent tried last and gave up. */
export interface RolledBack {
  version: string;
  reason?: RollbackReason;
}

/** `number` rises with every session that is asked for by the holder of one journal; `journal` is a UUID that the journal keeps. */
export interface SessionOrdinal {
  journal: string;
  number: number;
}

export interface SessionResponse {
  sessionId: string;
  /** Commands that are no longer the agent's to run: forget those not started, kill those that run. */
  drop: string[];
  /** The version of the agent that the server has, when it is signed. */
  agentVersion?: string;
}

export interface OutputChunk {
  /** Unique within one attempt; a repeated one is a no-op. */
  seq: number;
  stream: 'stdout' | 'stderr';
  text: string;
}

/** Body of `POST /api/commands/:id/output`. */
export interface OutputReport {
  attempt?: number;
  chunks: OutputChunk[];
  progress?: { percent?: number; message?: string };
}

/** How an attempt ended when `success` alone does not say it. `refused`: the machine's own policy forbids it, now and the next time. */
export const SPECIAL_OUTCOMES = ['cancelled', 'timed_out', 'indeterminate', 'refused'] as const;
export type SpecialOutcome = (typeof SPECIAL_OUTCOMES)[number];

/** Body of `POST /api/commands/:id/result`. */
export interface ResultReport {
  attempt?: number;
  success: boolean;
  data?: unknown;
  error?: string;
  durationMs?: number;
  outcome?: SpecialOutcome;
}
