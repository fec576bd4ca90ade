import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash, randomBytes } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Anonymous, Person } from '../core/access/access';
import { Unauthorized } from '../core/errors/errors';
import { PasswordsService } from './passwords.service';
import { PeopleService } from './people.service';

const ACCESS_SECONDS = 600;
const REFRESH_DAYS = 14;
/** Two tabs that refresh at once are not a stolen cookie. */
const ROTATION_GRACE_SECONDS = 10;

export interface Tokens {
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
  user: Profile;
}

/** Who somebody is, as they may see it themselves. */
export type Profile = Pick<Person, 'id' | 'email' | 'name' | 'roles' | 'permissions'>;

export function profileOf({ id, email, name, roles, permissions }: Profile): Profile {
  return { id, email, name, roles, permissions };
}

/** Logs people in and out: argon2id passwords, short access tokens, refresh secrets that rotate and are stored as hashes. */
@Injectable()
export class SessionsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly jwt: JwtService,
    private readonly audit: AuditService,
    private readonly people: PeopleService,
    private readonly passwords: PasswordsService,
  ) {}

  async login(email: string, password: string, caller: Anonymous): Promise<Tokens & { refresh: string }> {
    const [user] = await this.database.query<{ id: string; password_hash: string; disabled_at: Date | null }[]>(
      'SELECT id, password_hash, disabled_at FROM users WHERE lower(email) = lower($1) AND deleted_at IS NULL',
      [email],
    );
    const matches = await this.passwords.matches(password, user?.password_hash);
    if (!user || !matches || user.disabled_at) {
      await this.audit.record({
        by: caller,
        action: 'auth.login',
        target: { type: 'user', id: user?.id ?? null },
        outcome: 'refused',
      });
      throw new Unauthorized('E-mail or password is wrong');
    }
    const session = uuid();
    const refresh = randomBytes(32).toString('base64url');
    await this.database.transaction(async (transaction) => {
      await transaction.query(
        `INSERT INTO sessions (id, user_id, refresh_hash, expires_at) VALUES ($1, $2, $3, now() + make_interval(days => $4))`,
        [session, user.id, sha256(refresh), REFRESH_DAYS],
      );
      await this.audit.record({ by: caller, action: 'auth.login', target: { type: 'user', id: user.id }, outcome: 'done' }, transaction);
    });
    return { ...(await this.issue(session)), refresh };
  }

  /** Rotates the refresh secret; the use of an old one ends the session. */
  async refresh(secret: string): Promise<Tokens & { refresh?: string }> {
    const next = randomBytes(32).toString('base64url');
    // TypeORM answers an UPDATE … RETURNING with [rows, count].
    const [[current]] = await this.database.query<[{ id: string }[], number]>(
      `UPDATE sessions SET previous_hash = refresh_hash, refresh_hash = $2, rotated_at = now()
       WHERE refresh_hash = $1 AND revoked_at IS NULL AND expires_at > now() RETURNING id`,
      [sha256(secret), sha256(next)],
    );
    if (current) return { ...(await this.issue(current.id)), refresh: next };
    const [old] = await this.database.query<{ id: string; fresh: boolean }[]>(
      `SELECT id, rotated_at > now() - make_interval(secs => $2) AS fresh FROM sessions
       WHERE previous_hash = $1 AND revoked_at IS NULL AND expires_at > now()`,
      [sha256(secret), ROTATION_GRACE_SECONDS],
    );
    if (old?.fresh) return this.issue(old.id);
    if (old) await this.end(old.id);
    throw new Unauthorized('The session has ended; log in again');
  }

  async logout(secret: string): Promise<void> {
    await this.database.query('UPDATE sessions SET revoked_at = now() WHERE $1 IN (refresh_hash, previous_hash) AND revoked_at IS NULL', [
      sha256(secret),
    ]);
  }

  /** Ends every session of a person, in the transaction of what made it necessary. */
  async endAll(userId: string, transaction: EntityManager): Promise<void> {
    await transaction.query('UPDATE sessions SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL', [userId]);
  }

  /** Who holds this session, as of now: a disabled user or an ended session is nobody. */
  async person(sessionId: string): Promise<Omit<Person, 'origin'> | null> {
    const account = await this.people.bySession(sessionId);
    return account && { type: 'user', ...account, sessionId };
  }

  private async issue(sessionId: string): Promise<Tokens> {
    const person = await this.person(sessionId);
    if (!person) throw new Unauthorized('The session has ended; log in again');
    const accessToken = await this.jwt.signAsync({ sub: person.id, sid: sessionId }, { expiresIn: ACCESS_SECONDS });
    return { accessToken, expiresIn: ACCESS_SECONDS, user: profileOf(person) };
  }

  private async end(sessionId: string): Promise<void> {
    await this.database.query('UPDATE sessions SET revoked_at = now() WHERE id = $1', [sessionId]);
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
