import type { FastifyInstance } from 'fastify';
import { UnsupportedMediaType } from '../errors/errors';
import { inspectRequest } from './request-hygiene';

export const BODY_BYTES = 1 << 20;
const ARTIFACT_BYTES = 64 << 20;
/** The one route that takes bytes as they are, whatever their type; all others take JSON. */
export const BYTES_ROUTE = '/api/commands/:id/artifacts';
const JSON_TYPE = /^application\/json *(;|$)/i;
/** What `fetch` says of a text when its caller says nothing is JSON, too. */
const UNSAID_TYPES = /^(text\/plain *(;|$)|$)/i;

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
    const type = headers['content-type'] ?? '';
    // A browser sends texts for any site, without asking and with a word of where it comes from: somebody could be logged in as somebody else.
    const isJson = JSON_TYPE.test(type) || (UNSAID_TYPES.test(type) && headers.origin === undefined);
    done(isEmpty || isJson || routeOptions.url === BYTES_ROUTE ? undefined : new UnsupportedMediaType());
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
