import type { CommandFrame } from '@gwanje/contracts';
import { STORED_PAYLOAD, type StoredPayload } from './payload-secrets.service';

/** What a client's stream should have on it, as it is stored. */
export interface Outstanding extends Omit<CommandFrame, 'payload' | 'traceparent'>, StoredPayload {
  clientId: string;
  /** It runs, and is to be cancelled. */
  running: boolean;
  traceparent: string | null;
  /** Of a command with a trace: when it was claimed, in milliseconds since 1970. */
  claimedAt: number | null;
}

/** A command that was handed out a moment ago. */
export interface Claimed extends Outstanding {
  /** How long it waited since it was created, or since it was due. */
  seconds: number;
}

/** The columns of an Outstanding, of `commands c`. */
export const OUTSTANDING = `c.client_id AS "clientId", c.status = 'running' AS running, ${STORED_PAYLOAD}, c.action, c.priority, c.attempt,
  c.timeout_ms AS "timeoutMs", c.traceparent, CASE WHEN c.traceparent IS NOT NULL THEN extract(epoch FROM c.dispatched_at)::float8 * 1000 END AS "claimedAt"`;
