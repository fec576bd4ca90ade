import type { FastifyInstance } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InvalidInput } from '../errors/errors';

/** For the HTTP server: it is refused below. */
export const WITHOUT_HOST = { requireHostHeader: false };

/** Node would refuse these by itself, without a word of why: what HTTP/1.1 demands is named, and what it lets a server ignore is ignored. */
export function answerAll(fastify: FastifyInstance): void {
  fastify.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => fastify.routing(request, response));
  fastify.addHook('onRequest', ({ raw }, _reply, done) => {
    const isNameless = raw.httpVersion === '1.1' && raw.headers.host === undefined;
    done(isNameless ? new InvalidInput([{ path: 'Host', message: 'is missing' }]) : undefined);
  });
}
