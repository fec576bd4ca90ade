import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { validate as isUuid } from 'uuid';
import type { Actor, Refusal } from '../access/access';
import { DomainError, Hidden, Protected, TooManyAttempts, UnknownReference } from './errors';

/** PostgreSQL's classes of "not now": connection exceptions, too many connections, shutting down. */
const AWAY = /^(08|53|57P0)|^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/;
const AWAY_TEXT = /Connection terminated|timeout exceeded when trying to connect|Client was closed|not queryable|driver not Connected/i;

/** The database lets one of several have a name. */
const UNIQUE_VIOLATION = '23505';

export interface Problem {
  status: number;
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

/** `Payload Too Large` is `payload_too_large`. */
const codeOf = (status: number): string => (STATUS_CODES[status] ?? 'error').toLowerCase().replace(/[^a-z]+/g, '_');

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
  if (AWAY.test(code ?? '') || AWAY_TEXT.test(message ?? '')) {
    return { status: 503, code: 'database_unavailable', detail: 'The database is away; try again in a moment' };
  }
  return { status: 500, code: 'internal_error', detail: 'Something went wrong on our side; the log has it under this request id' };
}

/** The RFC 9457 document of a problem. */
export function problemDocument(problem: Problem, requestId: string): object {
  return { type: 'about:blank', title: STATUS_CODES[problem.status], ...problem, requestId };
}

/** What the audit record keeps of an error by somebody who presented credentials; null when it was no refused attempt. `route` is where it was tried. */
export function refusalOf(error: unknown, { status, code, detail }: Problem, by: Actor, route: string): Refusal | null {
  if (error instanceof Hidden || error instanceof UnknownReference) {
    // What is no id is somebody's text, and is not ours to keep.
    const id = isUuid(error.target.id) ? error.target.id : null;
    return { by, action: error.action, target: { ...error.target, id }, detail: { route, code } };
  }
  const isRefusal = error instanceof Protected || (error instanceof TooManyAttempts && error.options.recorded) || status === 401 || status === 403;
  if (!isRefusal) return null;
  return { by, action: 'access', target: { type: 'route', id: route }, detail: { code, reason: detail } };
}
