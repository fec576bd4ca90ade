import { HttpErrorResponse } from '@angular/common/http';

/** Why a call did not succeed: the server's own problem (RFC 9457), or that it could not be reached. */
export interface Problem {
  /** 0 when there was no answer at all. */
  status: number;
  /** Stable; `unreachable` when there was no answer, `unknown` when the answer was not a problem. */
  code: string;
  detail: string;
  errors: { path: string; message: string }[];
  requestId: string | null;
}

/** Reads any error of a call; never throws. */
export function toProblem(error: unknown): Problem {
  const none = { detail: '', errors: [], requestId: null };
  if (!(error instanceof HttpErrorResponse)) {
    return { ...none, status: 0, code: 'unknown', detail: error instanceof Error ? error.message : '' };
  }
  if (error.status === 0) return { ...none, status: 0, code: 'unreachable' };
  const requestId = error.headers.get('X-Request-Id');
  const body: unknown = error.error;
  if (!isObject(body)) return { ...none, status: error.status, code: 'unknown', requestId };
  return {
    status: error.status,
    code: typeof body['code'] === 'string' ? body['code'] : 'unknown',
    detail: typeof body['detail'] === 'string' ? body['detail'] : '',
    errors: Array.isArray(body['errors']) ? body['errors'].filter(isFault) : [],
    requestId: typeof body['requestId'] === 'string' ? body['requestId'] : requestId,
  };
}

function isFault(value: unknown): value is { path: string; message: string } {
  return isObject(value) && typeof value['path'] === 'string' && typeof value['message'] === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
