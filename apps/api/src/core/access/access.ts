import type { Permission } from '@gwanje/contracts';
import { createParamDecorator, ExecutionContext, SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { isIP } from 'node:net';
import type { Queries } from '../database/queries';
import type { Statement } from '../database/statement';

/**
 * Who may call a route. A route without one does not start. `checkedAgain` is for the hottest routes: their own transaction makes sure
 * that the caller's session, token or key still stands, so the guard may believe what it knew before. `harmless` is for calls that
 * give and change nothing: there it may believe it as well.
 */
export type Access = ({ kind: 'public' } | { kind: 'people'; permission?: Permission } | { kind: 'agents' }) & AccessOptions;
interface AccessOptions {
  checkedAgain?: boolean;
  harmless?: boolean;
}
export const ACCESS = 'gwanje:access';

export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(ACCESS, { kind: 'public' } satisfies Access);
/** People and scripts who hold `permission`, or anyone logged in when none is named. */
export const ForPeople = (permission?: Permission, options: AccessOptions = {}): MethodDecorator & ClassDecorator =>
  SetMetadata(ACCESS, { kind: 'people', ...(permission && { permission }), ...options } satisfies Access);
export const ForAgents = (options: AccessOptions = {}): MethodDecorator & ClassDecorator =>
  SetMetadata(ACCESS, { kind: 'agents', ...options } satisfies Access);

/** Which request it was: stands in the log, in the audit record and in every error. */
export interface Origin {
  requestId: string;
  /** The address that the request came from. */
  address: string;
  /** The W3C `traceparent` that what it makes continues, while tracing is on. */
  traceparent?: string | undefined;
}

/** What a person may do, and where. */
export interface Rights {
  permissions: Permission[];
  /** Those of `permissions` that hold for every client; the others hold where a grant of `client_permissions` says so. */
  everywhere: Permission[];
  /** Raised by every change that may narrow the rights: what was decided under another version is decided again. */
  rightsVersion: number;
}

/** Whether a person has a second factor, whether it is demanded of them, and whether what is demanded was done: without that they have no permissions. */
export interface SecondFactorState {
  enabled: boolean;
  required: boolean;
  satisfied: boolean;
}

/** Somebody logged in, or a script with a personal access token of theirs. */
export interface Person extends Rights {
  type: 'user';
  id: string;
  email: string;
  name: string;
  roles: string[];
  secondFactor: SecondFactorState;
  /** The session that the access token belongs to; absent for a personal access token. */
  sessionId?: string;
  /** The personal access token; absent for a session. */
  tokenId?: string;
  origin: Origin;
}

/** Somebody who has just proven who they are, and opens or ends a session. */
export type ProvenPerson = Pick<Person, 'type' | 'id' | 'email' | 'origin' | 'tokenId'>;

export interface AgentPrincipal {
  type: 'agent';
  /** The client's id. */
  id: string;
  name: string;
  keyId: string;
  origin: Origin;
}

/** Whether `client`, an id or a name out of an address, is the caller's own; `me` is whichever client the key belongs to. */
export const isSelf = (agent: AgentPrincipal, client: string): boolean => client.toLowerCase() === agent.id || [agent.name, 'me'].includes(client);

export interface Anonymous {
  type: 'anonymous';
  id: null;
  origin: Origin;
}

/** Gwanje itself: a deadline that passed, a right that was withdrawn. */
export interface System {
  type: 'system';
  id: null;
  origin: null;
}
export const SYSTEM: System = { type: 'system', id: null, origin: null };

export type Actor = Person | AgentPrincipal | Anonymous | System;
export type AuthenticatedRequest = FastifyRequest & { user?: Exclude<Actor, System> };

/** The caller, as the guard found it; on a public route, anonymous. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<AuthenticatedRequest>().user);

/** What a trusted proxy passes on that is no address is not taken for one. */
export const originOf = ({ id, ip, socket, span }: FastifyRequest): Origin => ({
  requestId: id, address: isIP(ip) ? ip : (socket.remoteAddress ?? ''), traceparent: span?.traceparent,
});

/** Knows how to tell who holds an agent's key; the clients module provides it. */
export abstract class AgentKeys {
  abstract find(key: string): Promise<Omit<AgentPrincipal, 'origin'> | null>;
  /** Whether this key is not valid any more; many that ask at once are answered together. */
  abstract hasEnded(keyId: string): Promise<boolean>;
  /** Of these keys, those that are not valid any more. */
  abstract ended(keyIds: readonly string[], transaction?: Queries): Promise<string[]>;
  /** Refuses when one of these keys is not valid any more. */
  abstract requireValid(keyIds: readonly string[]): Statement<never>;
}

/** Knows how to tell whose personal access token it is, and what it may do; the identity module provides it. */
export abstract class PersonalTokens {
  abstract find(token: string): Promise<Omit<Person, 'origin'> | null>;
}

/** An attempt that was turned away. */
export interface Refusal {
  by: Actor;
  /** Dotted, such as `commands.result`, or the route when no service had a say. */
  action: string;
  target: { type: string; id: string | null };
  detail: Record<string, unknown>;
}

/** Writes refused attempts into the audit record; the audit module provides it. */
export abstract class RefusalRecorder {
  abstract refused(refusal: Refusal): Promise<void>;
}
