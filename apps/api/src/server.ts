import cookie from '@fastify/cookie';
import type { LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { randomUUID } from 'node:crypto';
import { AppModule } from './app.module';
import type { Config } from './core/config/config';
import { inspectBody } from './core/http/body-hygiene';
import { serveConsole } from './core/http/console';
import { logRequests } from './core/http/request-log';
import { routeUpgrades } from './core/http/upgrade';
import { DtoPipe } from './core/http/validation';

const BODY_BYTES = 1 << 20;
const ARTIFACT_BYTES = 64 << 20;

/** Builds the server without listening; `main.ts` and the tests start it. */
export async function createServer(config: Config, logger: LoggerService | false): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_BYTES,
    genReqId: (request: { headers: Record<string, unknown> }) => {
      const given = request.headers['x-request-id'];
      return typeof given === 'string' && /^[\w.-]{1,100}$/.test(given) ? given : randomUUID();
    },
    forceCloseConnections: true,
    trustProxy: config.TRUST_PROXY === '' ? false : config.TRUST_PROXY.split(','),
  });
  const fastify = adapter.getInstance();
  // Any type that is not JSON is taken as bytes: only the artifacts' route has a use for it, and says so to the others.
  fastify.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: ARTIFACT_BYTES }, (_request, body, done) => done(null, body));
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('X-Request-Id', request.id).header('X-Content-Type-Options', 'nosniff');
    done();
  });
  logRequests(fastify);
  routeUpgrades(fastify);
  fastify.addHook('preValidation', (request, _reply, done) => {
    try {
      if (!Buffer.isBuffer(request.body)) inspectBody(request.body);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.with(config), adapter, { logger, abortOnError: false });
  await app.register(cookie);
  await serveConsole(app, config.CONSOLE_DIR);
  app.useGlobalPipes(new DtoPipe());
  const document = new DocumentBuilder().setTitle('Gwanje').setVersion('0.1.0').addBearerAuth().build();
  SwaggerModule.setup('api/docs', app, () => SwaggerModule.createDocument(app, document), { jsonDocumentUrl: 'api/docs/openapi.json' });
  return app;
}
