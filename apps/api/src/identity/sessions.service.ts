import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash, randomBytes } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Anonymous, Person, ProvenPerson } from '../core/access/access';
import { Forbidden, Hidden, Unauthorized } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { PeopleService } from './people.service';

const ACCESS_SECONDS = 600;
export const REFRESH_DAYS = 14;
/** Two tabs that refresh at once are not a stolen cookie, as long as nobody has gone on with what the first of them got. */
const GRACE_SECONDS = 10;

export interface Tokens {
  accessToken: string;
  /** Seconds. */
  expiresIn: number;
  user: Profile;
}

/** Who somebody is, as they may see it themselves. */
export type Profile = Pick<Person, 'id' | 'email' | 'name' | 'roles' | 'permissions' | 'secondFactor'>;

export function profileOf({ id, email, name, roles, permissions, secondFactor }: Profile): Profile {
  return { id, email, name, roles, permissions, secondFactor };
}

/** A token must not make itself last longer, or take the account over. */
export function requireSession(person: Person): void {
  if (!person.sessionId) throw new Forbidden('A personal access token cannot do this: log in');
}

/** How somebody proved who they are. */
export interface Proof {
  how: 'password' | 'openid';
  secondFactor: boolean;
}

export interface SessionView {
  id: string;
  address: string | null;
  userAgent: string | null;
  createdAt: Date;
  lastUsedAt: Date;
  /** The one that asks. */
  current: boolean;
}

/** Sessions: short access tokens, and refresh secrets that rotate at each use. The use of an old one ends the session. */
@Injectable()
export class SessionsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly jwt: JwtService,
    private readonly audit: AuditService,
    private readonly people: PeopleService,
    private readonly bus: Bus,
  ) {}

  /** Opens a session for somebody who has proven who they are, and records the log-in. `passwordHash` is what their password was held against. */
  async open(userId: string, by: Anonymous, userAgent: string | undefined, proof: Proof, passwordHash?: string): Promise<Tokens & { refresh: string }> {
    const id = uuid();
    const refresh = await this.database.transaction(async (transaction) => {
      await transaction.query(
        `INSERT INTO sessions (id, user_id, expires_at, address, user_agent, second_factor)
         VALUES ($1, $2, now() + make_interval(days => ${REFRESH_DAYS}), $3, $4, $5)`,
        [id, userId, by.origin.address, userAgent?.slice(0, 300) ?? null, proof.secondFactor],
      );
      if (proof.how === 'password') await this.requirePassword(userId, passwordHash ?? '', transaction);
      const [user] = await transaction.query<{ email: string }[]>('SELECT email FROM users WHERE id = $1', [userId]);
      const person: ProvenPerson = { type: 'user', id: userId, email: user?.email ?? '', origin: by.origin };
      await this.audit.record({ by: person, action: 'auth.login', target: { type: 'user', id: userId }, outcome: 'done', detail: { ...proof, sessionId: id } }, transaction);
      return this.newSecret(id, transaction);
    });
    return { ...(await this.issue(id)), refresh };
  }

  /** Answers a new refresh secret, or none to the second of two tabs that came with the same. */
  async refresh(secret: string, by: Anonymous): Promise<Tokens & { refresh?: string }> {
    const outcome = await this.database.transaction(async (transaction) => {
      const [known] = await transaction.query<{ sessionId: string; userId: string; used: boolean; fresh: boolean }[]>(
        `SELECT s.id AS "sessionId", s.user_id AS "userId", r.used_at IS NOT NULL AS used,
           r.used_at IS NULL OR (r.used_at > now() - make_interval(secs => ${GRACE_SECONDS}) AND NOT EXISTS (
             SELECT 1 FROM refresh_secrets n WHERE n.session_id = s.id AND n.created_at >= r.used_at AND n.used_at IS NOT NULL)) AS fresh
         FROM refresh_secrets r JOIN sessions s ON s.id = r.session_id
         WHERE r.hash = $1 AND s.revoked_at IS NULL AND s.expires_at > now() FOR UPDATE OF r`,
        [sha256(secret)],
      );
      if (!known) return null;
      if (!known.fresh) {
        await this.end(known.sessionId, transaction);
        const target = { type: 'user', id: known.userId };
        await this.audit.record({ by, action: 'auth.refresh_reuse', target, outcome: 'refused', detail: { sessionId: known.sessionId } }, transaction);
        return { ...known, ended: true };
      }
      if (known.used) return known;
      await transaction.query('UPDATE refresh_secrets SET used_at = now() WHERE hash = $1', [sha256(secret)]);
      await transaction.query('UPDATE sessions SET last_used_at = now() WHERE id = $1', [known.sessionId]);
      return { ...known, refresh: await this.newSecret(known.sessionId, transaction) };
    });
    if (outcome && 'ended' in outcome) this.bus.publish('rights', { userIds: [outcome.userId] });
    if (!outcome || 'ended' in outcome) throw new Unauthorized('The session has ended; log in again');
    return { ...(await this.issue(outcome.sessionId)), ...('refresh' in outcome && { refresh: outcome.refresh }) };
  }

  async logout(secret: string, by: Anonymous): Promise<void> {
    const userId = await this.database.transaction(async (transaction) => {
      const [session] = await transaction.query<{ id: string; userId: string; email: string }[]>(
        `SELECT s.id, s.user_id AS "userId", u.email FROM refresh_secrets r JOIN sessions s ON s.id = r.session_id JOIN users u ON u.id = s.user_id
         WHERE r.hash = $1 AND s.revoked_at IS NULL`,
        [sha256(secret)],
      );
      if (!session) return null;
      await this.end(session.id, transaction);
      const { id: sessionId, userId: id, email } = session;
      const person: ProvenPerson = { type: 'user', id, email, origin: by.origin };
      await this.audit.record({ by: person, action: 'auth.logout', target: { type: 'user', id }, outcome: 'done', detail: { sessionId } }, transaction);
      return session.userId;
    });
    if (userId) this.bus.publish('rights', { userIds: [userId] });
  }

  async list(person: Pick<Person, 'id' | 'sessionId'>): Promise<SessionView[]> {
    return this.database.query<SessionView[]>(
      `SELECT id, address, user_agent AS "userAgent", created_at AS "createdAt", last_used_at AS "lastUsedAt", id IS NOT DISTINCT FROM $2 AS current FROM sessions
       WHERE user_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY id DESC`,
      [person.id, person.sessionId ?? null],
    );
  }

  async endOwn(sessionId: string, person: Person): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const [own] = isUuid(sessionId)
        ? await transaction.query<unknown[]>('SELECT 1 FROM sessions WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL', [sessionId, person.id])
        : [];
      if (!own) throw new Hidden('auth.end_session', { type: 'session', id: sessionId });
      await this.end(sessionId, transaction);
      await this.audit.record({ by: person, action: 'auth.end_session', target: { type: 'session', id: sessionId }, outcome: 'done' }, transaction);
    });
    this.bus.publish('rights', { userIds: [person.id] });
  }

  /** Every session of the person's but the one that asks. */
  async endOthers(person: Person): Promise<void> {
    await this.database.transaction(async (transaction) => {
      await this.endAll(person.id, transaction, person.sessionId);
      await this.audit.record({ by: person, action: 'auth.end_other_sessions', target: { type: 'user', id: person.id }, outcome: 'done' }, transaction);
    });
    this.bus.publish('rights', { userIds: [person.id] });
  }

  /** Ends every session of a person but `except`, in the transaction of what made it necessary. */
  async endAll(userId: string, transaction: EntityManager, except?: string): Promise<void> {
    await transaction.query('UPDATE sessions SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL AND id IS DISTINCT FROM $2', [userId, except ?? null]);
  }

  /** The session counts as opened with the second factor. */
  async prove(sessionId: string | undefined, transaction: EntityManager): Promise<void> {
    await transaction.query('UPDATE sessions SET second_factor = true WHERE id = $1', [sessionId]);
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

  private async newSecret(sessionId: string, transaction: EntityManager): Promise<string> {
    const secret = randomBytes(32).toString('base64url');
    await transaction.query('INSERT INTO refresh_secrets (hash, session_id) VALUES ($1, $2)', [sha256(secret), sessionId]);
    return secret;
  }

  /** The password may have been changed or ended since it was proven; an account that a password opens is never linked to an OpenID provider. */
  private async requirePassword(userId: string, passwordHash: string, transaction: EntityManager): Promise<void> {
    const [rows] = await transaction.query<[unknown[], number]>(
      'UPDATE users SET password_login_at = now() WHERE id = $1 AND password_hash = $2 RETURNING id', [userId, passwordHash],
    );
    if (rows.length === 0) throw new Unauthorized('E-mail or password is wrong');
  }

  private async end(sessionId: string, transaction: EntityManager): Promise<void> {
    await transaction.query('UPDATE sessions SET revoked_at = now() WHERE id = $1', [sessionId]);
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
