/** PostgreSQL's classes of "not now": connection exceptions, too many connections, a statement that took too long, shutting down. */
const CODES = /^(08|53|57014|57P0)|^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/;
const TEXT = /Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client was closed|Cannot use a pool after calling end|not queryable|query runner (was )?already released|driver not Connected/i;

/** Whether the database could not be asked, or its answer was lost: what was asked may or may not have happened, and the fault is not the asker's. */
export function isAway(error: unknown): boolean {
  const { code, message, cause } = error as { code?: string; message?: string; cause?: unknown };
  return CODES.test(code ?? '') || TEXT.test(message ?? '') || (cause instanceof Error && isAway(cause));
}

/** A deadlock, or a failure to put two transactions in an order. */
const UNDONE = ['40P01', '40001'];

/** Whether two transactions were in each other's way, and the database undid this one: the fault of neither caller, and nothing has happened. */
export const isUndone = (error: unknown): boolean => UNDONE.includes((error as { code?: string }).code ?? '');
