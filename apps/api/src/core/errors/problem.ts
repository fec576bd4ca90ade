import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { validate as isUuid } from 'uuid';
import type { Actor, Refusal } from '../access/access';
import { isAway, isUndone } from '../database/away';
import { DomainError, Hidden, Protected, TooManyAttempts, UnknownReference } from './errors';

/** The database lets one of several have a name. */
const UNIQUE_VIOLATION = '23505';

export interface Problem {
  status: number;
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

/** `Payload Too Large` is `payload_too_large`. */
export const codeOf = (status: number): string => (STATUS_CODES[status] ?? 'error').toLowerCase().replace(/[^a-z]+/g, '_');

/** What the caller is told of an error; the only place that decides a status. */
export function describe(error: unknown): Problem {
  if (error instanceof DomainError) {
    return { status: error.status, code: error.code, detail: error.message, ...(error.errors && { errors: error.errors }) };
  }
  if (error instanceof HttpException) {
    const status = error.getStatus();
    return { status, code: codeOf(status), detail: error.message };
  }
  const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
  if (statusCode && statusCode >= 400 && statusCode < 500) {
    const detail = message ?? 'The request cannot be read';
    return { status: statusCode, code: codeOf(statusCode), detail, errors: [{ path: '', message: detail }] };
  }
  if (code === UNIQUE_VIOLATION) {
    return { status: 409, code: 'already_taken', detail: 'Something else has this name or e-mail already' };
  }
  if (isUndone(error)) {
    return { status: 503, code: 'transaction_undone', detail: 'Another change was in the way, and nothing of this one was done; try again in a moment' };
  }
  if (isAway(error)) {
    return { status: 503, code: 'database_unavailable', detail: 'The database is away; try again in a moment' };
  }
  return { status: 500, code: 'internal_error', detail: 'Something went wrong on our side; the log has it under this request id' };
}

/** The RFC 9457 document of a problem. */
export function problemDocument(problem: Problem, requestId: string): object {
  return { type: 'about:blank', title: STATUS_CODES[problem.status], ...problem, requestId };
}

/** Of the things that one attempt named in vain; how many there were is kept in any case. */
const MAX_OTHERS = 100;
/** What is no id is somebody's text, and is not ours to keep. */
const keptId = (id: string): string | null => (isUuid(id) ? id : null);

/** What the audit record keeps of an error by somebody who presented credentials; null when it was no refused attempt. `route` is where it was tried. */
export function refusalOf(error: unknown, { status, code, detail }: Problem, by: Actor, route: string): Refusal | null {
  if (error instanceof Hidden) {
    return { by, action: error.action, target: { ...error.target, id: keptId(error.target.id) }, detail: { route, code } };
  }
  if (error instanceof UnknownReference) {
    const { action, type, references } = error;
    const [first = null, ...others] = references.map(({ id }) => keptId(id));
    const more = others.length > 0 && { unknown: references.length, others: others.filter((id) => id !== null).slice(0, MAX_OTHERS) };
    return { by, action, target: { type, id: first }, detail: { route, code, ...more } };
  }
  const isRefusal = error instanceof Protected || (error instanceof TooManyAttempts && error.options.recorded) || status === 401 || status === 403;
  if (!isRefusal) return null;
  return { by, action: 'access', target: { type: 'route', id: route }, detail: { code, reason: detail } };
}
