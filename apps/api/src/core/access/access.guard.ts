import { CanActivate, ExecutionContext, Injectable } from '@nestjs/common';
import { ModuleRef, Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { Config } from '../config/config';
import { Forbidden, Misdirected, Unauthorized } from '../errors/errors';
import { ACCESS, type Access, AgentKeys, type AuthenticatedRequest, originOf, type Person, PersonalTokens } from './access';
import { networkOf } from './network';
import { type Known, RecentCallers } from './recent-callers';
import { HeardAgents } from './heard-agents';
import { RateLimits } from './rate-limits';
import { IN_ROLE, type Role } from './roles';

/** Asks passport-jwt who holds the access token; answers in our own error form. */
class JwtGuard extends AuthGuard('jwt') {
  override handleRequest<T>(error: unknown, user: T | false): T {
    if (error) throw error as Error;
    if (!user) throw new Unauthorized();
    return user;
  }
}

/** What the markers of a route say. */
interface Gate {
  /** Its markers count as well, and a handler may be inherited. */
  controller: object;
  access: Access | undefined;
  role: Role | 'any';
  /** The role that answers it, when the process does not have it. */
  missing: Role | null;
}

/** The one global guard: closed unless the route's access marker opens it. */
@Injectable()
export class AccessGuard implements CanActivate {
  private readonly jwt = new JwtGuard();
  private readonly gates = new WeakMap<object, Gate>();

  constructor(
    private readonly reflector: Reflector,
    private readonly modules: ModuleRef,
    private readonly recent: RecentCallers,
    private readonly config: Config,
    private readonly limits: RateLimits,
    private readonly heard: HeardAgents,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { access, role, missing } = this.gateOf(context);
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const origin = originOf(request);
    request.user = { type: 'anonymous', id: null, origin };
    if (missing) throw new Misdirected(missing);
    if (access?.kind === 'public') {
      if (role !== 'any') await this.limits.spend('address', networkOf(origin.address));
      return true;
    }
    const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (!access || !token) {
      await this.limits.spend('address', networkOf(origin.address));
      throw new Unauthorized();
    }
    let known = access.checkedAgain || access.harmless ? this.recent.get(token, access.harmless) : undefined;
    if (!known) {
      known = await this.identify(token, context, request).catch((error: unknown) => this.unknown(error, origin.address));
      this.recent.remember(token, known);
    }
    const wait = this.limits.spend('caller', keyOf(known));
    if (wait) await wait;
    const caller = { ...known, origin };
    request.user = caller;
    if (caller.type === 'agent') {
      this.heard.note(caller.id);
      if (access.kind !== 'agents') throw new Forbidden('This call is for people, not for agents');
      return true;
    }
    if (access.kind === 'agents') throw new Forbidden('This call is for agents: use a client key');
    if (access.permission && !caller.permissions.includes(access.permission)) {
      throw new Forbidden(`You need the permission ${access.permission}`);
    }
    return true;
  }

  private gateOf(context: ExecutionContext): Gate {
    const [handler, controller] = [context.getHandler(), context.getClass()];
    const known = this.gates.get(handler);
    if (known?.controller === controller) return known;
    const markers = [handler, controller];
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, markers);
    const role = this.reflector.getAllAndOverride<Role | 'any' | undefined>(IN_ROLE, markers) ?? 'api';
    const gate = { controller, access, role, missing: role === 'any' || this.config.has(role) ? null : role };
    this.gates.set(handler, gate);
    return gate;
  }

  private async identify(token: string, context: ExecutionContext, request: AuthenticatedRequest): Promise<Known> {
    if (token.startsWith('sk_')) {
      const agent = await this.modules.get(AgentKeys, { strict: false }).find(token);
      if (!agent) throw new Unauthorized('The client key is not valid');
      return agent;
    }
    return token.startsWith('gwj_') ? this.scriptOwner(token) : this.sessionOwner(context, request);
  }

  /** Whoever tries tokens that are not valid is limited like whoever has none. */
  private async unknown(error: unknown, address: string): Promise<never> {
    if (error instanceof Unauthorized) await this.limits.spend('address', networkOf(address));
    throw error;
  }

  private async scriptOwner(token: string): Promise<Omit<Person, 'origin'>> {
    const owner = await this.modules.get(PersonalTokens, { strict: false }).find(token);
    if (!owner) throw new Unauthorized('The personal access token is not valid');
    return owner;
  }

  private async sessionOwner(context: ExecutionContext, request: AuthenticatedRequest): Promise<Omit<Person, 'origin'>> {
    await this.jwt.canActivate(context);
    return request.user as unknown as Omit<Person, 'origin'>;
  }
}

const keyOf = (known: Known): string => (known.type === 'agent' ? known.keyId : (known.tokenId ?? known.sessionId ?? known.id));
