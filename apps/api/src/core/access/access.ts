import type { Permission } from '@gwanje/contracts';
import { createParamDecorator, ExecutionContext, SetMetadata } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Who may call a route. A route without one does not start. */
export type Access = { kind: 'public' } | { kind: 'people'; permission?: Permission } | { kind: 'agents' };
export const ACCESS = 'gwanje:access';

export const Public = (): MethodDecorator & ClassDecorator => SetMetadata(ACCESS, { kind: 'public' } satisfies Access);
/** People and scripts who hold `permission`, or anyone logged in when none is named. */
export const ForPeople = (permission?: Permission): MethodDecorator & ClassDecorator =>
  SetMetadata(ACCESS, { kind: 'people', ...(permission && { permission }) } satisfies Access);
export const ForAgents = (): MethodDecorator & ClassDecorator => SetMetadata(ACCESS, { kind: 'agents' } satisfies Access);

export interface Person {
  type: 'user';
  id: string;
  email: string;
  name: string;
  roles: string[];
  permissions: Permission[];
  sessionId: string;
}
export interface AgentPrincipal {
  type: 'agent';
  /** The client's id. */
  id: string;
  name: string;
}
export type Principal = Person | AgentPrincipal;
export type AuthenticatedRequest = FastifyRequest & { user?: Principal };

/** The caller, as the guard found it. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<AuthenticatedRequest>().user);

/** Knows how to tell who holds an agent's key; the clients module provides it. */
export abstract class AgentKeys {
  abstract find(key: string): Promise<AgentPrincipal | null>;
}
