/** What travels between server and agent, as JSON; times are UTC ISO 8601, durations milliseconds. */

/** `data` of `event: command` on an agent's stream. `attempt` is the fencing token of one execution. */
export interface CommandFrame {
  id: string;
  action: string;
  payload: Record<string, unknown>;
  priority: number;
  attempt: number;
  timeoutMs: number;
}

/** `data` of `event: cancel`: do not start this attempt, or kill it and report the reason as its `outcome`; `cancelled` when none is given. */
export interface CancelFrame {
  id: string;
  attempt: number;
  reason?: 'cancelled' | 'timed_out';
}

/** Why a stream is closed, as `data` of `event: bye`. */
export interface ByeFrame {
  reason: 'replaced' | 'shutdown' | 'revoked';
}

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
}

export interface SessionResponse {
  sessionId: string;
  /** Commands that are no longer the agent's to run: forget those not started, kill those that run. */
  drop: string[];
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
