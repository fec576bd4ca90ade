import cookie from '@fastify/cookie';
import { Tracing } from '@gwanje/tracing';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { Server } from 'node:https';
import { v7 as uuid } from 'uuid';
import { AppModule } from './app.module';
import { AgentKeys } from './core/access/access';
import type { Config } from './core/config/config';
import { refuseMalformed } from './core/errors/malformed';
import { refuseAddress } from './core/errors/problem.filter';
import { boundAnswers } from './core/http/answers';
import { BODY_BYTES, readBodies } from './core/http/bodies';
import { serveConsole } from './core/http/console';
import { answerAll, WITHOUT_HOST } from './core/http/own-answers';
import { logRequests } from './core/http/request-log';
import { routeUpgrades } from './core/http/upgrade';
import { followIdentity, readIdentity } from './core/http/tls';
import { admitUploads } from './core/http/uploads';
import { DtoPipe } from './core/http/validation';
import { traceRequests } from './core/tracing/http-spans';
import { VERSION } from './core/version';

const HEADERS = { 'X-Content-Type-Options': 'nosniff', 'X-Frame-Options': 'DENY', 'Referrer-Policy': 'no-referrer', 'Cross-Origin-Resource-Policy': 'same-origin' };
/** Pages elsewhere bring a bearer token; the refresh cookie is for the server's own console alone. */
const CORS = {
  methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID', 'X-Request-Id'],
  exposedHeaders: ['X-Request-Id', 'Retry-After', 'Content-Disposition'],
  maxAge: 600,
};

/** Builds the server without listening; `main.ts` and the tests start it. */
export async function createServer(config: Config, logger: LoggerService | false): Promise<NestFastifyApplication> {
  const identity = readIdentity(config);
  const adapter = new FastifyAdapter({
    ...(identity ? { https: { ...identity, minVersion: 'TLSv1.2' as const, ...WITHOUT_HOST } } : { http: WITHOUT_HOST }),
    bodyLimit: BODY_BYTES,
    genReqId: (request: { headers: Record<string, unknown> }) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && /^[\w.-]{1,100}$/.test(given) ? given : uuid();
    },
    forceCloseConnections: true,
    frameworkErrors: refuseAddress,
    clientErrorHandler: refuseMalformed,
    // Names may have 100 characters and e-mails 254, each of up to 12 when percent-encoded.
    routerOptions: { maxParamLength: 4096 },
    trustProxy: config.TRUST_PROXY === '' ? false : config.TRUST_PROXY.split(','),
  });
  const fastify = adapter.getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.headers({ ...HEADERS, 'X-Request-Id': request.id });
    if (identity) void reply.header('Strict-Transport-Security', 'max-age=31536000');
    // Answers hold what only the caller may see, and secrets that are shown once.
    if (/^\/api(\/|$)/.test(request.url)) void reply.header('Cache-Control', 'no-store');
    done();
  });
  answerAll(fastify);
  readBodies(fastify);
  boundAnswers(fastify, config.ANSWER_MS);
  logRequests(fastify, config);
  routeUpgrades(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.with(config), adapter, { logger, abortOnError: false, bodyParser: false });
  traceRequests(fastify, app.get(Tracing));
  admitUploads(fastify, app.get(AgentKeys, { strict: false }));
  if (config.CORS_ORIGINS) app.enableCors({ ...CORS, origin: config.CORS_ORIGINS.split(',') });
  if (identity) followIdentity(app.getHttpServer() as Server, config);
  await app.register(cookie);
  if (config.has('api')) await serveConsole(app, config.CONSOLE_DIR);
  app.useGlobalPipes(new DtoPipe());
  const document = new DocumentBuilder().setTitle('Gwanje').setVersion(VERSION).addBearerAuth().build();
  SwaggerModule.setup('api/docs', app, () => SwaggerModule.createDocument(app, document), { jsonDocumentUrl: 'api/docs/openapi.json' });
  return app;
}
