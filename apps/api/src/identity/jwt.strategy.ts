import { Injectable } from '@nestjs/common';
import { PassportStrategy } from '@nestjs/passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import type { Person } from '../core/access/access';
import { Config } from '../core/config/config';
import { SessionsService } from './sessions.service';

export const TOKEN = { issuer: 'gwanje', audience: 'gwanje-api', algorithm: 'HS256' } as const;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Checks an access token and asks PostgreSQL whether its session still stands, so a log-out is felt at the next call. */
@Injectable()
export class JwtStrategy extends PassportStrategy(Strategy) {
  constructor(
    config: Config,
    private readonly sessions: SessionsService,
  ) {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: config.JWT_SECRET,
      issuer: TOKEN.issuer,
      audience: TOKEN.audience,
      algorithms: [TOKEN.algorithm],
    });
  }

  async validate(claims: { sid?: unknown }): Promise<Omit<Person, 'origin'> | null> {
    return typeof claims.sid === 'string' && UUID.test(claims.sid) ? this.sessions.person(claims.sid) : null;
  }
}
