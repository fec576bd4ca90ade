import '@fastify/cookie';
import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { randomNonce, randomPKCECodeVerifier, randomState } from 'openid-client';
import { Cipher } from '../core/crypto/cipher';
import type { Checks } from './openid-provider';

const PREFIX = 'gwanje_openid_';
const MINUTES = 10;
/** Tabs that sign in at once; a browser that begins more often forgets the oldest. */
const AT_ONCE = 5;
const options = { path: '/api/auth/openid', httpOnly: true, secure: true, sameSite: 'lax' } as const;

export interface Flow extends Checks {
  /** A path of the console's. */
  returnTo: string;
  /** Milliseconds since 1970. */
  startedAt: number;
}

/** A sign-in on its way to the provider and back: kept by the browser in a sealed cookie of its own, so nothing is kept here. */
@Injectable()
export class OpenIdFlows {
  constructor(private readonly cipher: Cipher) {}

  begin(returnTo: string, redirectUrl: string, request: FastifyRequest, reply: FastifyReply): Flow {
    const flow = { state: randomState(), nonce: randomNonce(), verifier: randomPKCECodeVerifier(), redirectUrl, returnTo, startedAt: Date.now() };
    // Browsers send the oldest cookies of a path first.
    const others = Object.keys(request.cookies).filter((name) => name.startsWith(PREFIX));
    for (const name of others.slice(0, Math.max(0, others.length + 1 - AT_ONCE))) void reply.clearCookie(name, options);
    const sealed = this.cipher.seal(JSON.stringify(flow), contextOf(flow.state)).toString('base64url');
    void reply.setCookie(PREFIX + flow.state, sealed, { ...options, maxAge: MINUTES * 60 });
    return flow;
  }

  /** The flow that the answer of this state belongs to, once; null when this browser did not begin it, or too long ago. */
  take(state: string | undefined, request: FastifyRequest, reply: FastifyReply): Flow | null {
    const sealed = state === undefined || !/^[\w-]{1,100}$/.test(state) ? undefined : request.cookies[PREFIX + state];
    if (state === undefined || sealed === undefined) return null;
    void reply.clearCookie(PREFIX + state, options);
    const opened = this.cipher.open(Buffer.from(sealed, 'base64url'), contextOf(state));
    const flow = opened === null ? null : (JSON.parse(opened) as Flow);
    return flow && flow.startedAt > Date.now() - MINUTES * 60_000 ? flow : null;
  }
}

const contextOf = (state: string): string => `openid-flow:${state}`;
