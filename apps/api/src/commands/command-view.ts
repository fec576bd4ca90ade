import type { CommandState } from '@gwanje/contracts';

/** A command as people see it. */
export interface CommandView {
  id: string;
  clientId: string;
  batchId: string | null;
  action: string;
  payload: Record<string, unknown>;
  priority: number;
  status: CommandState;
  attempt: number;
  maxAttempts: number;
  timeoutMs: number;
  result: { success: boolean; data: unknown; durationMs: number | null } | null;
  errorMessage: string | null;
  createdBy: string;
  createdAt: Date;
  notBefore: Date | null;
  expiresAt: Date | null;
  dispatchedAt: Date | null;
  startedAt: Date | null;
  completedAt: Date | null;
}

/** Secret parameters are sealed beside the payload, for the agent, and in no answer to people; rows of an early version have them in it. */
const SHOWN_PAYLOAD = `CASE WHEN c.secret_parameters = '{}' THEN c.payload ELSE
  c.payload || (SELECT coalesce(jsonb_object_agg(name, '[redacted]'), '{}') FROM unnest(c.secret_parameters) name
    WHERE c.sealed_secrets IS NOT NULL OR c.payload ? name) END`;
/** The columns of a CommandView, of `commands c`. */
export const VIEW = `c.id, c.client_id AS "clientId", c.batch_id AS "batchId", c.action, ${SHOWN_PAYLOAD} AS payload, c.priority, c.status, c.attempt,
  c.max_attempts AS "maxAttempts", c.timeout_ms AS "timeoutMs", c.result, c.error_message AS "errorMessage", c.created_by AS "createdBy",
  c.created_at AS "createdAt", c.not_before AS "notBefore", c.expires_at AS "expiresAt", c.dispatched_at AS "dispatchedAt",
  c.started_at AS "startedAt", c.completed_at AS "completedAt"`;
