import { CanActivate, ExecutionContext, Injectable } from '@nestjs/common';
import { ModuleRef, Reflector } from '@nestjs/core';
import { AuthGuard } from '@nestjs/passport';
import { Forbidden, Unauthorized } from '../errors/errors';
import { ACCESS, type Access, AgentKeys, type AuthenticatedRequest } from './access';

/** Asks passport-jwt who holds the access token; answers in our own error form. */
class JwtGuard extends AuthGuard('jwt') {
  override handleRequest<T>(error: unknown, user: T | false): T {
    if (error) throw error as Error;
    if (!user) throw new Unauthorized();
    return user;
  }
}

/** The one global guard: closed unless the route's access marker opens it. */
@Injectable()
export class AccessGuard implements CanActivate {
  private readonly jwt = new JwtGuard();

  constructor(
    private readonly reflector: Reflector,
    private readonly modules: ModuleRef,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const access = this.reflector.getAllAndOverride<Access | undefined>(ACCESS, [context.getHandler(), context.getClass()]);
    if (access?.kind === 'public') return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (!access || !token) throw new Unauthorized();
    const isAgent = token.startsWith('sk_');
    if (isAgent) {
      const agent = await this.modules.get(AgentKeys, { strict: false }).find(token);
      if (!agent) throw new Unauthorized('The client key is not valid');
      request.user = agent;
      if (access.kind !== 'agents') throw new Forbidden('This call is for people, not for agents');
      return true;
    }
    await this.jwt.canActivate(context);
    if (access.kind === 'agents') throw new Forbidden('This call is for agents: use a client key');
    const person = request.user;
    if (access.permission && person?.type === 'user' && !person.permissions.includes(access.permission)) {
      throw new Forbidden(`You need the permission ${access.permission}`);
    }
    return true;
  }
}
