import { REDACTED } from '../core/redaction/redact';
import type { CommandView } from './command-view';
import type { Claimed } from './outstanding';

type Given = 'id' | 'clientId' | 'batchId' | 'action' | 'payload' | 'priority' | 'timeoutMs' | 'maxAttempts' | 'createdBy';

/** A command on its way into the database. What is secret in its payload is not in `payload`. */
export interface NewCommand extends Pick<CommandView, Given> {
  notBefore: string | null;
  expiresAt: string | null;
  /** The version of the creator's rights by which it was allowed. */
  rightsVersion: number;
  /** Parameters that are shown to nobody but the agent. */
  secretParameters: string[];
  /** Their values, as `PayloadSecrets` sealed them. */
  sealedSecrets: Buffer | null;
  /** Of the trace that it belongs to, if it does. */
  traceparent?: string | undefined;
}

/** As people see it when it is created, whatever has become of it by now. */
export function asCreated(command: NewCommand, createdAt: Date): CommandView {
  const { id, clientId, batchId, action, payload, priority, maxAttempts, timeoutMs, createdBy, notBefore, expiresAt, secretParameters } = command;
  const at = (time: string | null): Date | null => (time === null ? null : new Date(time));
  return {
    id, clientId, batchId, action, payload: withRedacted(payload, secretParameters), priority, status: 'pending', attempt: 1, maxAttempts, timeoutMs,
    result: null, errorMessage: null, createdBy, createdAt, notBefore: at(notBefore), expiresAt: at(expiresAt), dispatchedAt: null, startedAt: null, completedAt: null,
  };
}

/** As its client's stream should have it when it was stored as handed out, at `at`. */
export function asHandedOut(command: NewCommand, at: Date): Claimed {
  const { id, clientId, batchId, action, payload, sealedSecrets, priority, timeoutMs, traceparent = null } = command;
  return {
    id, clientId, batchId, action, payload, sealedSecrets, priority, timeoutMs, running: false, attempt: 1, traceparent, claimedAt: traceparent === null ? null : at.getTime(),
    seconds: 0,
  };
}

/** As `jsonb_to_recordset` reads it. */
export const asRecord = (command: NewCommand): object =>
  command.sealedSecrets ? { ...command, sealedSecrets: `\\x${command.sealedSecrets.toString('hex')}` } : command;

/** The payload as it may be shown: that there is a secret, and not which. */
export function withRedacted(payload: Record<string, unknown>, secretParameters: readonly string[]): Record<string, unknown> {
  if (secretParameters.length === 0) return payload;
  return { ...payload, ...Object.fromEntries(secretParameters.map((name) => [name, REDACTED])) };
}
