import { Injectable } from '@nestjs/common';
import { Bus } from '../events/bus.service';
import type { AgentPrincipal, Person } from './access';

export type Known = Omit<Person, 'origin'> | Omit<AgentPrincipal, 'origin'>;

/** A person, whose rights may have been widened meanwhile. */
const BELIEVED_MS = 10_000;
/** An agent, which has no rights but its key, and anybody in calls by which nobody gains anything. */
const BELIEVED_LONG_MS = 300_000;
const MOST = 50_000;

/**
 * Remembers who holds which token. Only calls whose own transaction checks the caller again may believe it, and those that
 * give and change nothing; a change of rights or a revocation that this process hears of is forgotten at once.
 */
@Injectable()
export class RecentCallers {
  private readonly known = new Map<string, { caller: Known; since: number; until: number }>();

  constructor(bus: Bus) {
    bus.on('rights', ({ userIds }) => this.forget('user', new Set(userIds)));
    bus.on('revoked', ({ clientId }) => this.forget('agent', new Set([clientId])));
  }

  get(token: string, harmless = false): Known | undefined {
    const entry = this.known.get(token);
    const now = Date.now();
    if (!entry || entry.until <= now) return undefined;
    const believedMs = harmless || entry.caller.type === 'agent' ? BELIEVED_LONG_MS : BELIEVED_MS;
    return entry.since > now - believedMs ? entry.caller : undefined;
  }

  remember(token: string, caller: Known): void {
    if (this.known.size >= MOST) this.known.clear();
    this.known.set(token, { caller, since: Date.now(), until: expiryOf(token) });
  }

  private forget(type: Known['type'], ids: ReadonlySet<string>): void {
    for (const [token, { caller }] of this.known) if (caller.type === type && ids.has(caller.id)) this.known.delete(token);
  }
}

/** When an access token ends; its signature was checked before it is remembered. Other tokens have no end of their own here. */
function expiryOf(token: string): number {
  const [, claims] = token.split('.');
  if (!claims) return Infinity;
  const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp?: number };
  return (exp ?? 0) * 1000;
}
