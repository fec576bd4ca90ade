import { Logger } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { Histogram } from 'prom-client';
import type { AuthenticatedRequest } from '../access/access';
import type { Config } from '../config/config';

const seconds = new Histogram({
  name: 'gwanje_http_request_duration_seconds',
  help: 'Time from a request to the end of its answer, by route and status',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
});

/**
 * One line and one measurement for each answer. The route stands for the address: what people put into an address or a query is not
 * ours to write down.
 */
export function logRequests(fastify: FastifyInstance, { LOG_LEVEL }: Pick<Config, 'LOG_LEVEL'>): void {
  const log = new Logger('Http');
  // Agents call thousands of times a second where people call once.
  const tellsAgents = ['debug', 'trace'].includes(LOG_LEVEL);
  fastify.addHook('onResponse', (request, reply, done) => {
    const { method, id: requestId } = request;
    const route = request.routeOptions.url ?? 'unknown';
    const status = reply.statusCode;
    seconds.observe({ method, route, status }, reply.elapsedTime / 1000);
    const by = (request as AuthenticatedRequest).user;
    const isUsual = by?.type === 'agent' && status < 400;
    if (isUsual && !tellsAgents) return done();
    const line = { requestId, method, route, status, ms: Math.round(reply.elapsedTime * 10) / 10, ...(by?.id && { by: `${by.type}:${by.id}` }) };
    if (isUsual) log.debug(line, `${method} ${route} ${status}`);
    else log.log(line, `${method} ${route} ${status}`);
    done();
  });
}
