import type { FastifyInstance } from 'fastify';
import { UnsupportedMediaType } from '../errors/errors';
import { inspectRequest } from './request-hygiene';

export const BODY_BYTES = 1 << 20;
const ARTIFACT_BYTES = 64 << 20;
/** The one route that takes bytes as they are, whatever their type; all others take JSON. */
export const BYTES_ROUTE = '/api/commands/:id/artifacts';
/** What `fetch` says of a text when its caller says nothing is JSON, too: no other site gains by it, since calls need a bearer token. */
const JSON_TYPES = /^((application\/json|text\/plain) *(;|$)|$)/i;

/** Reads bodies: JSON that can be stored, or bytes where they are wanted; refuses all else before it is read. */
export function readBodies(fastify: FastifyInstance): void {
  const parseJson = fastify.getDefaultJsonParser('error', 'error');
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (request.routeOptions.url === BYTES_ROUTE) done(null, body);
    else void parseJson(request, body.toString(), done);
  });
  fastify.addHook('onRoute', (route) => {
    route.bodyLimit = route.url === BYTES_ROUTE ? ARTIFACT_BYTES : BODY_BYTES;
  });
  fastify.addHook('onRequest', ({ headers, routeOptions }, _reply, done) => {
    const isEmpty = headers['transfer-encoding'] === undefined && (headers['content-length'] ?? '0') === '0';
    // Whatever type is said of no body: there is none to be read.
    if (isEmpty) delete headers['content-type'];
    const isForeign = !isEmpty && routeOptions.url !== BYTES_ROUTE && !JSON_TYPES.test(headers['content-type'] ?? '');
    done(isForeign ? new UnsupportedMediaType() : undefined);
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    try {
      inspectRequest(request);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}
