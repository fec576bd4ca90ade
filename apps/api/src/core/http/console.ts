import fastifyStatic from '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const PAGE = 'index.html';
/** Stands in the page for the nonce of one answer. */
const NONCE = /CSP_NONCE/g;
/** The build puts a hash of the content into these names. */
const HASHED = /-[A-Z0-9]{8}\.(js|css|woff2)$/;
/** The server's own addresses: unknown ones are problems for programs, never a page. */
const OWN = /^\/(api|health|metrics)(\/|$)/;

/**
 * Serves the built console: its files, and its page for every other address that a browser asks for, so that deep links work.
 * The page allows only scripts and styles of its own origin, or with the nonce of that answer. Without a built console it serves nothing.
 */
export async function serveConsole(app: NestFastifyApplication, folder: string): Promise<void> {
  const root = resolve(folder);
  if (!existsSync(join(root, PAGE))) return;
  const page = readFileSync(join(root, PAGE), 'utf8');
  // Every file gets a route of its own at the start: no address is ever turned into a path of the disk.
  await app.register(fastifyStatic, {
    root,
    wildcard: false,
    index: false,
    globIgnore: [PAGE],
    cacheControl: false,
    setHeaders: (reply, path) => {
      void reply.header('Cache-Control', HASHED.test(path) ? 'public, max-age=31536000, immutable' : 'public, max-age=3600');
    },
  });
  app.getHttpAdapter().getInstance().get('/*', (request: FastifyRequest, reply: FastifyReply) => {
    if (!wantsPage(request)) {
      reply.callNotFound();
      return;
    }
    const nonce = randomBytes(18).toString('base64');
    void reply.headers(pageHeaders(nonce)).send(page.replace(NONCE, nonce));
  });
}

function wantsPage({ url, headers }: FastifyRequest): boolean {
  const path = url.split('?', 1)[0] ?? '';
  return !OWN.test(path) && (headers.accept ?? '').includes('text/html');
}

function pageHeaders(nonce: string): Record<string, string> {
  return {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': [
      "default-src 'self'",
      `script-src 'self' 'nonce-${nonce}'`,
      `style-src 'self' 'nonce-${nonce}'`,
      "img-src 'self' data: blob:",
      "connect-src 'self'",
      "object-src 'none'",
      "frame-ancestors 'none'",
      "base-uri 'self'",
      "form-action 'self'",
    ].join('; '),
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
  };
}
