import type { CommandState } from '@gwanje/contracts';

/**
 * What the four witnesses say. Times are milliseconds of this machine's clock.
 *
 * call: one call of a client, by the client's own log. row: a command in PostgreSQL; log: a line of its history; audit: of the audit log.
 * entry: what an agent's journal still holds. effect: one line that the action wrote outside of Gwanje, in the order of the file.
 * tag: a name that the client gave to one intended command, which the action writes with its effect.
 */
export interface History {
  calls: readonly Call[];
  rows: readonly Row[];
  logs: readonly Log[];
  audits: readonly Audit[];
  entries: readonly Entry[];
  effects: readonly Effect[];
  /** Content of each written file, by the tag that names it. */
  files: ReadonlyMap<string, string>;
  /** When an agent's process ended, however it ended, by client. */
  agentEnds: readonly { clientId: string; at: number }[];
  overruns: readonly Overrun[];
}

export const EFFECTS = ['shell', 'file', 'none'] as const;
/** `shell` appends a line and is not idempotent; `file` writes a file and is; `none` gives its tag back in the result. */
export type EffectKind = (typeof EFFECTS)[number];

interface BaseCall {
  at: number;
  /** An HTTP status, or null where nobody knows what became of it: a time-out, a reset, a 5xx. */
  status: number | null;
}
export type Call =
  | (BaseCall & {
      kind: 'create';
      tag: string;
      key: string | null;
      id: string | null;
      effect: EffectKind;
      exitCode: number;
      clientId: string;
      notBefore: number | null;
    })
  | (BaseCall & { kind: 'cancel' | 'retry'; id: string })
  | (BaseCall & { kind: 'read'; id: string; state: CommandState | null; attempt: number | null });

export interface Row {
  id: string;
  clientId: string;
  /** Of a batch: with the client, `<tag>/<client id>`. */
  tag: string | null;
  batchId: string | null;
  action: string;
  status: CommandState;
  attempt: number;
  maxAttempts: number;
  revision: number;
  createdAt: number;
  reportedAttempt: number | null;
  result: { success: boolean; data: unknown } | null;
  errorMessage: string | null;
}

export interface Log {
  commandId: string;
  revision: number;
  event: string;
  attempt: number;
  at: number;
  data: Record<string, unknown>;
}

export interface Audit {
  /** Or the batch. */
  commandId: string;
  action: string;
  outcome: 'done' | 'refused';
  detail: Record<string, unknown>;
}

export interface Entry {
  clientId: string;
  commandId: string;
  attempt: number;
  state: string;
}

/** A moment at which more was in flight on a client than its slots allow. */
export interface Overrun {
  at: number;
  clientId: string;
  taken: number;
  slots: number;
}

export interface Effect {
  clientId: string;
  tag: string;
  commandId: string;
  attempt: number;
}
