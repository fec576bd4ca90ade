import type { FastifyInstance } from 'fastify';
import { Unavailable } from '../errors/errors';

/** Files take as long as the other side's line, and a stream or socket stays: ten thousand of them keep nothing of their requests. */
const LASTING = /\/(artifacts|download|bundle|events|stream|ws)\b/;

/**
 * Answers every caller within so many milliseconds, however many of the parts behind it are silent one after the other: 503, when nobody knows
 * what came of it. (Fastify's `handlerTimeout` forgets a request as soon as its body is read.)
 */
export function boundAnswers(fastify: FastifyInstance, answerMs: number): void {
  fastify.addHook('onRequest', (request, reply, done) => {
    if (!LASTING.test(request.routeOptions.url ?? '')) {
      const timer = setTimeout(() => {
        if (!reply.sent) void reply.send(new NoAnswer(answerMs));
      }, answerMs);
      reply.raw.once('close', () => clearTimeout(timer));
    }
    done();
  });
}

class NoAnswer extends Unavailable {
  constructor(ms: number) {
    super('no_answer_in_time', 'There is no answer yet: what was asked may have happened, or may still happen', new Error(`none within ${ms} ms`));
  }
}
