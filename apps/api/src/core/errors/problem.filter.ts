import { ArgumentsHost, Catch, ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { STATUS_CODES } from 'node:http';
import { DomainError } from './errors';

/** PostgreSQL's classes of "not now": connection exceptions, too many connections, shutting down. */
const AWAY = /^(08|53|57P0)|^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/;
const AWAY_TEXT = /Connection terminated|timeout exceeded when trying to connect|Client was closed|not queryable|driver not Connected/i;

/** Turns every error into RFC 9457 `application/problem+json`; the only place that decides a status. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly log = new Logger('Http');

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    if (reply.sent || reply.raw.headersSent) return;
    const { status, code, detail, errors } = this.describe(error);
    if (status === 500) this.log.error({ requestId: request.id, err: error }, 'unexpected error');
    if (status === 503) void reply.header('Retry-After', '2');
    void reply
      .status(status)
      .header('Content-Type', 'application/problem+json')
      .send({ type: 'about:blank', title: STATUS_CODES[status], status, code, detail, ...(errors && { errors }), requestId: request.id });
  }

  private describe(error: unknown): { status: number; code: string; detail: string; errors?: { path: string; message: string }[] } {
    if (error instanceof DomainError) {
      return { status: error.status, code: error.code, detail: error.message, ...(error.errors && { errors: error.errors }) };
    }
    if (error instanceof HttpException) {
      const status = error.getStatus();
      return { status, code: (STATUS_CODES[status] ?? 'error').toLowerCase().replaceAll(' ', '_'), detail: error.message };
    }
    const { statusCode, code, message } = error as { statusCode?: number; code?: string; message?: string };
    if (statusCode && statusCode >= 400 && statusCode < 500) {
      return { status: statusCode, code: 'bad_request', detail: message ?? 'The request cannot be read', errors: [{ path: '', message: message ?? '' }] };
    }
    if (AWAY.test(code ?? '') || AWAY_TEXT.test(message ?? '')) {
      return { status: 503, code: 'database_unavailable', detail: 'The database is away; try again in a moment' };
    }
    return { status: 500, code: 'internal_error', detail: 'Something went wrong on our side; the log has it under this request id' };
  }
}
