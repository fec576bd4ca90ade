/**
 * The states of a command and the legal moves between them. This table is the only place where they are written down:
 * the database refuses any other move by itself (a test compares the two).
 */
export const COMMAND_STATES = [
  'pending',
  'dispatched',
  'running',
  'completed',
  'failed',
  'cancelled',
  'expired',
  'timed_out',
  'indeterminate',
] as const;
export type CommandState = (typeof COMMAND_STATES)[number];

/** From each state, the states that may follow. `→ pending` is a retry and always starts a new attempt. */
export const LEGAL_MOVES: Readonly<Record<CommandState, readonly CommandState[]>> = {
  pending: ['dispatched', 'cancelled', 'expired'],
  dispatched: ['running', 'completed', 'failed', 'cancelled', 'expired', 'timed_out', 'indeterminate'],
  running: ['completed', 'failed', 'cancelled', 'timed_out', 'indeterminate'],
  completed: [],
  failed: ['pending'],
  cancelled: ['pending'],
  expired: ['pending'],
  timed_out: ['completed', 'failed', 'cancelled', 'indeterminate', 'pending'],
  indeterminate: ['completed', 'failed', 'cancelled', 'timed_out', 'pending'],
};

export function isLegalMove(from: CommandState, to: CommandState): boolean {
  return LEGAL_MOVES[from].includes(to);
}

/** States in which a command holds one of its client's slots. */
export const IN_FLIGHT_STATES = ['dispatched', 'running'] as const satisfies readonly CommandState[];

/** States that only a retry leaves, or, for the two provisional ones, a late report of the same attempt. */
export const END_STATES = [
  'completed',
  'failed',
  'cancelled',
  'expired',
  'timed_out',
  'indeterminate',
] as const satisfies readonly CommandState[];

/** Served first everywhere; agents keep one slot for it. */
export const EMERGENCY_PRIORITY = 10;
export const DEFAULT_PRIORITY = 5;
/** Milliseconds from the start (or the dispatch, while no start was reported) to the server's verdict `timed_out`. */
export const DEFAULT_TIMEOUT_MS = 300_000;
export const DEFAULT_CONCURRENCY = 4;
