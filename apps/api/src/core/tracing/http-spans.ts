import type { Span, Tracing } from '@gwanje/tracing';
import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of a traced call, while tracing is on. */
    span?: Span;
  }
  interface FastifyContextConfig {
    traced?: 'begins' | 'continues';
  }
}

/** A route whose calls have a span: it `begins` a trace where the caller brings none, or only `continues` one. */
export const Traced = (traced: 'begins' | 'continues'): MethodDecorator => RouteConfig({ traced });

/** A span for each call of a traced route, named and described as OpenTelemetry has it for HTTP; the route stands for the address. */
export function traceRequests(fastify: FastifyInstance, tracing: Tracing): void {
  if (!tracing.isOn) return;
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { method, protocol, headers, routeOptions } = request;
    const { traced } = routeOptions.config;
    if (traced) {
      const { traceparent } = headers;
      const route = routeOptions.url ?? 'unknown';
      const attributes = { 'http.request.method': method, 'http.route': route, 'url.scheme': protocol };
      const settings = { name: `${method} ${route}`, kind: 'server' as const, parent: traceparent?.toString(), attributes };
      request.span = traced === 'begins' ? tracing.begin(settings) : tracing.follow(settings);
    }
    done();
  });
  fastify.addHook('onResponse', ({ span }, { statusCode }, done) => {
    span?.set({ 'http.response.status_code': statusCode });
    if (statusCode >= 500) span?.fail(String(statusCode));
    span?.end();
    done();
  });
}
