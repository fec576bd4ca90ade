import type { Alert, AlertDelivery, AuditExport, CommandState, Permission, RolledBack } from '@gwanje/contracts';

/** What the console reads from the API. Times are UTC ISO 8601, durations milliseconds. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface User {
  id: string;
  email: string;
  name: string;
  roles: string[];
  permissions: Permission[];
}

/** The person who is logged in. */
export interface Me extends User {
  /** Until it is `satisfied`, they have no permissions: they set one up (not `enabled`), or prove the one that they have. */
  secondFactor: { enabled: boolean; required: boolean; satisfied: boolean };
}

/** Answer of log-in and refresh; `expiresIn` in seconds. */
export interface Tokens {
  accessToken: string;
  expiresIn: number;
  user: Me;
}

export interface Command {
  id: string;
  clientId: string;
  batchId: string | null;
  action: string;
  payload: unknown;
  priority: number;
  status: CommandState;
  attempt: number;
  maxAttempts: number;
  timeoutMs: number;
  result: { success: boolean; data: unknown; durationMs: number | null } | null;
  errorMessage: string | null;
  createdBy: string;
  createdAt: string;
  notBefore: string | null;
  expiresAt: string | null;
  dispatchedAt: string | null;
  startedAt: string | null;
  completedAt: string | null;
}

export interface CommandLog {
  eventType: string;
  attempt: number;
  createdAt: string;
  data: unknown;
}

export interface Client {
  id: string;
  name: string;
  status: 'online' | 'offline';
  lastSeenAt: string | null;
  /** What the agent said of itself; null until it has come for the first time. */
  agent: {
    version: string;
    platform: string;
    actions: { name: string; schema?: unknown }[];
    rolledBack?: RolledBack;
  } | null;
  groups: string[];
  labels: Record<string, string>;
  concurrency: number;
  createdAt: string;
}

/** News of `GET /api/events`, by event name: a map from event type to payload type. */
export interface News {
  command: Pick<Command, 'id' | 'clientId' | 'batchId' | 'action' | 'status' | 'attempt' | 'createdAt'>;
  client: Pick<Client, 'id' | 'name' | 'status' | 'lastSeenAt' | 'groups' | 'labels'> & { deletedAt: string | null };
  /** One of the caller's own. */
  export: AuditExport;
  alert: Alert;
  /** For those who may read alerts of all clients. */
  delivery: AlertDelivery;
}
