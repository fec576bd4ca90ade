import { ArgumentsHost, Catch, ExceptionFilter, Logger } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type AuthenticatedRequest, originOf, RefusalRecorder } from '../access/access';
import { isUndone } from '../database/away';
import { TooManyAttempts, Unavailable } from './errors';
import { describe, type Problem, problemDocument, refusalOf } from './problem';

/** Answers every error as RFC 9457 `application/problem+json`, and has every refused attempt recorded. */
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
    if (problem.status === 500 || isUndone(error)) this.log.error({ requestId: request.id, err: error }, 'unexpected error');
    if (error instanceof Unavailable) this.log.warn({ requestId: request.id }, `${problem.code}: ${error.reason}`);
    if (error instanceof TooManyAttempts) void reply.header('Retry-After', String(error.retryAfter));
    if (problem.status === 503) void reply.header('Retry-After', '2');
    sendProblem(reply, problem, request.id);
  }

  /** A call without any credentials is not an attempt worth a row: anybody could fill the record with them. */
  private async record(error: unknown, problem: Problem, request: AuthenticatedRequest): Promise<void> {
    if (problem.status === 401 && request.headers.authorization === undefined) return;
    const by = request.user ?? { type: 'anonymous', id: null, origin: originOf(request) };
    const refusal = refusalOf(error, problem, by, `${request.method} ${request.routeOptions.url ?? 'unknown'}`);
    if (!refusal) return;
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
  void reply.status(problem.status).header('Content-Type', 'application/problem+json').send(problemDocument(problem, requestId));
}
