import { Injectable } from '@nestjs/common';
import { createSecretKey } from 'node:crypto';
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
    // As a key object: of a text, the library would try with each token whether it is a public key.
    const key = createSecretKey(config.JWT_SECRET, 'utf8') as unknown as Buffer;
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      secretOrKey: key,
      issuer: TOKEN.issuer,
      audience: TOKEN.audience,
      algorithms: [TOKEN.algorithm],
    });
  }

  async validate(claims: { sid?: unknown }): Promise<Omit<Person, 'origin'> | null> {
    return typeof claims.sid === 'string' && UUID.test(claims.sid) ? this.sessions.person(claims.sid) : null;
  }
}
