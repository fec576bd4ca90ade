import { ArgumentsHost, Catch, ExceptionFilter, HttpException, Logger } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { STATUS_CODES } from 'node:http';
import { validate as isUuid } from 'uuid';
import { type AuthenticatedRequest, originOf, type Refusal, RefusalRecorder } from '../access/access';
import { DomainError, Hidden, Protected, TooManyAttempts } from './errors';

/** PostgreSQL's classes of "not now": connection exceptions, too many connections, shutting down. */
const AWAY = /^(08|53|57P0)|^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/;
const AWAY_TEXT = /Connection terminated|timeout exceeded when trying to connect|Client was closed|not queryable|driver not Connected/i;

interface Problem {
  status: number;
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

/** Turns every error into RFC 9457 `application/problem+json`, and has every refused attempt recorded; the only place that decides a status. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly log = new Logger('Http');

  constructor(private readonly modules: ModuleRef) {}

  async catch(error: unknown, host: ArgumentsHost): Promise<void> {
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const request = host.switchToHttp().getRequest<AuthenticatedRequest>();
    const problem = describe(error);
    await this.record(error, problem, request);
    if (reply.sent || reply.raw.headersSent) return;
    if (problem.status === 500) this.log.error({ requestId: request.id, err: error }, 'unexpected error');
    if (error instanceof TooManyAttempts) void reply.header('Retry-After', String(error.retryAfter));
    if (problem.status === 503) void reply.header('Retry-After', '2');
    sendProblem(reply, problem, request.id);
  }

  /** A call without any credentials is not an attempt worth a row: anybody could fill the record with them. */
  private async record(error: unknown, { status, code, detail }: Problem, request: AuthenticatedRequest): Promise<void> {
    const presented = request.headers.authorization !== undefined;
    const isRefusal = error instanceof Hidden || error instanceof Protected || error instanceof TooManyAttempts || status === 403;
    if (!isRefusal && !(status === 401 && presented)) return;
    const by = request.user ?? { type: 'anonymous', id: null, origin: originOf(request) };
    const route = `${request.method} ${request.routeOptions.url ?? 'unknown'}`;
    const refusal: Refusal =
      error instanceof Hidden
        ? // What is no id is somebody's text, and is not ours to keep.
          { by, action: error.action, target: { ...error.target, id: isUuid(error.target.id) ? error.target.id : null }, detail: { route, code } }
        : { by, action: 'access', target: { type: 'route', id: route }, detail: { code, reason: detail } };
    await this.modules
      .get(RefusalRecorder, { strict: false })
      .refused(refusal)
      .catch((fault: Error) => this.log.error(`a refused attempt was not recorded: ${fault.message}`));
  }
}

/** An address that no route could even be looked up for. */
export function refuseAddress(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  sendProblem(reply, describe(error), request.id);
}

function sendProblem(reply: FastifyReply, problem: Problem, requestId: string): void {
  void reply
    .status(problem.status)
    .header('Content-Type', 'application/problem+json')
    .send({ type: 'about:blank', title: STATUS_CODES[problem.status], ...problem, requestId });
}

/** `Payload Too Large` is `payload_too_large`. */
const codeOf = (status: number): string => (STATUS_CODES[status] ?? 'error').toLowerCase().replace(/[^a-z]+/g, '_');

function describe(error: unknown): Problem {
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
  if (AWAY.test(code ?? '') || AWAY_TEXT.test(message ?? '')) {
    return { status: 503, code: 'database_unavailable', detail: 'The database is away; try again in a moment' };
  }
  return { status: 500, code: 'internal_error', detail: 'Something went wrong on our side; the log has it under this request id' };
}
