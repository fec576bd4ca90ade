import cookie from '@fastify/cookie';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { randomUUID } from 'node:crypto';
import { AppModule } from './app.module';
import type { Config } from './core/config/config';
import { refuseAddress } from './core/errors/problem.filter';
import { BODY_BYTES, readBodies } from './core/http/bodies';
import { serveConsole } from './core/http/console';
import { logRequests } from './core/http/request-log';
import { routeUpgrades } from './core/http/upgrade';
import { DtoPipe } from './core/http/validation';

/** Builds the server without listening; `main.ts` and the tests start it. */
export async function createServer(config: Config, logger: LoggerService | false): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_BYTES,
    genReqId: (request: { headers: Record<string, unknown> }) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && /^[\w.-]{1,100}$/.test(given) ? given : randomUUID();
    },
    forceCloseConnections: true,
    frameworkErrors: refuseAddress,
    // Names may have 100 characters and e-mails 254, each of up to 12 when percent-encoded.
    routerOptions: { maxParamLength: 4096 },
    trustProxy: config.TRUST_PROXY === '' ? false : config.TRUST_PROXY.split(','),
  });
  const fastify = adapter.getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('X-Request-Id', request.id).header('X-Content-Type-Options', 'nosniff');
    // Answers hold what only the caller may see, and secrets that are shown once.
    if (/^\/api(\/|$)/.test(request.url)) void reply.header('Cache-Control', 'no-store');
    done();
  });
  readBodies(fastify);
  logRequests(fastify);
  routeUpgrades(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.with(config), adapter, { logger, abortOnError: false, bodyParser: false });
  await app.register(cookie);
  await serveConsole(app, config.CONSOLE_DIR);
  app.useGlobalPipes(new DtoPipe());
  const document = new DocumentBuilder().setTitle('Gwanje').setVersion('0.1.0').addBearerAuth().build();
  SwaggerModule.setup('api/docs', app, () => SwaggerModule.createDocument(app, document), { jsonDocumentUrl: 'api/docs/openapi.json' });
  return app;
}
