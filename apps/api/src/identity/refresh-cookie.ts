import '@fastify/cookie';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { REFRESH_DAYS } from './sessions.service';

const COOKIE = 'gwanje_refresh';
const options = { path: '/api/auth', httpOnly: true, secure: true, sameSite: 'strict' } as const;

/** The one place that a refresh secret travels in. */
export const refreshCookie = {
  read: (request: FastifyRequest): string | undefined => request.cookies[COOKIE],
  set: (reply: FastifyReply, secret: string): void => void reply.setCookie(COOKIE, secret, { ...options, maxAge: REFRESH_DAYS * 86_400 }),
  clear: (reply: FastifyReply): void => void reply.clearCookie(COOKIE, options),
};
