import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { isEmail } from 'class-validator';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import { type Anonymous, SYSTEM } from '../core/access/access';
import { Config } from '../core/config/config';
import { Bus } from '../core/events/bus.service';
import { tidy } from '../core/http/tidy';
import { PeopleService } from './people.service';
import { SessionsService } from './sessions.service';

/** What the provider says of somebody. */
export interface ExternalIdentity {
  issuer: string;
  subject: string;
  /** Absent unless the provider says that it is verified. */
  verifiedEmail?: string | undefined;
  name?: string | undefined;
  groups: string[];
}

/** Nobody gets in; `code` is what the log-in page is told. */
export class SignInRefused extends Error {
  constructor(
    readonly code: 'openid_unavailable' | 'openid_denied' | 'openid_expired' | 'openid_invalid' | 'email_unverified' | 'email_taken' | 'account_disabled',
  ) {
    super(`Sign-in refused: ${code}`);
  }
}

interface Role {
  id: string;
  name: string;
  builtIn: boolean;
}

/**
 * Accounts of an OpenID provider: found by issuer and subject, never by anything else once they are known. The only one that gives roles
 * by groups; never takes the last admin's.
 */
@Injectable()
export class ExternalIdentities {
  private readonly log = new Logger('OpenId');
  /** Group to role. */
  private readonly map: ReadonlyMap<string, string>;

  constructor(
    config: Config,
    @InjectDataSource() private readonly database: DataSource,
    private readonly people: PeopleService,
    private readonly sessions: SessionsService,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {
    this.map = new Map(Object.entries(JSON.parse(config.OIDC_ROLE_MAP) as Record<string, string>));
  }

  /** The id of the account, found, linked or created, with the roles that its groups have now. Throws SignInRefused. */
  async signIn(who: ExternalIdentity, by: Anonymous): Promise<string> {
    try {
      const { userId, changed } = await this.database.transaction(async (transaction) => {
        await this.people.lockRights(transaction);
        const userId = await this.account(who, transaction);
        return { userId, changed: await this.followGroups(userId, who, transaction) };
      });
      if (changed) this.bus.publish('rights', { userIds: [userId] });
      return userId;
    } catch (error) {
      if (error instanceof SignInRefused) {
        const detail = { how: 'openid', reason: error.code, issuer: who.issuer, subject: who.subject };
        await this.audit.record({ by, action: 'auth.login', target: { type: 'user', id: null }, outcome: 'refused', detail });
      }
      throw error;
    }
  }

  private async account(who: ExternalIdentity, transaction: EntityManager): Promise<string> {
    const [known] = await transaction.query<{ id: string; disabled: boolean; deleted: boolean }[]>(
      `SELECT u.id, u.disabled_at IS NOT NULL AS disabled, u.deleted_at IS NOT NULL AS deleted
       FROM external_identities e JOIN users u ON u.id = e.user_id WHERE e.issuer = $1 AND e.subject = $2`,
      [who.issuer, who.subject],
    );
    if (known && !known.deleted) {
      if (known.disabled) throw new SignInRefused('account_disabled');
      return known.id;
    }
    const invited = await this.invited(who, transaction);
    // A deleted account does not come back by itself: somebody has to make a new one for the person.
    if (!invited && known) throw new SignInRefused('account_disabled');
    const id = invited ?? (await this.create(who, transaction));
    await transaction.query(
      `INSERT INTO external_identities (issuer, subject, user_id) VALUES ($1, $2, $3)
       ON CONFLICT (issuer, subject) DO UPDATE SET user_id = excluded.user_id, mapped_roles = '{}'`,
      [who.issuer, who.subject, id],
    );
    const after = { issuer: who.issuer, subject: who.subject };
    await this.audit.record({ by: SYSTEM, action: 'users.link_identity', target: { type: 'user', id }, outcome: 'done', after }, transaction);
    return id;
  }

  /** An account that waits for its person: of the verified e-mail, and never used, so that nobody's is taken over. Its password ends. */
  private async invited({ verifiedEmail: email }: ExternalIdentity, transaction: EntityManager): Promise<string | null> {
    if (email === undefined || !isEmail(email, { require_tld: false })) throw new SignInRefused('email_unverified');
    const [account] = await transaction.query<{ id: string; disabled: boolean; used: boolean }[]>(
      `SELECT id, disabled_at IS NOT NULL AS disabled,
         password_login_at IS NOT NULL OR EXISTS (SELECT FROM external_identities WHERE user_id = users.id) AS used
       FROM users WHERE account_key(email) = account_key($1) AND deleted_at IS NULL FOR UPDATE`,
      [email],
    );
    if (!account) return null;
    if (account.used) throw new SignInRefused('email_taken');
    if (account.disabled) throw new SignInRefused('account_disabled');
    await transaction.query('UPDATE users SET password_hash = NULL WHERE id = $1', [account.id]);
    await this.sessions.endAll(account.id, transaction);
    return account.id;
  }

  private async create({ verifiedEmail: email = '', name = email }: ExternalIdentity, transaction: EntityManager): Promise<string> {
    const id = uuid();
    const after = { email: tidy(email), name: tidy(name).slice(0, 200) };
    await transaction.query('INSERT INTO users (id, email, name, password_hash) VALUES ($1, $2, $3, NULL)', [id, after.email, after.name]);
    await this.audit.record({ by: SYSTEM, action: 'users.create', target: { type: 'user', id }, outcome: 'done', after, detail: { how: 'openid' } }, transaction);
    return id;
  }

  /** Gives and takes the roles of the map, and those that an earlier map gave; leaves all others to the admins. Whether something changed. */
  private async followGroups(userId: string, { issuer, subject, groups }: ExternalIdentity, transaction: EntityManager): Promise<boolean> {
    const [identity] = await transaction.query<{ given: string[] }[]>(
      'SELECT mapped_roles AS given FROM external_identities WHERE issuer = $1 AND subject = $2', [issuer, subject],
    );
    const roles = await transaction.query<(Role & { held: boolean })[]>(
      `SELECT id, name, built_in AS "builtIn", EXISTS (SELECT FROM user_roles WHERE user_id = $1 AND role_id = roles.id) AS held FROM roles ORDER BY name`,
      [userId],
    );
    const [mapped, wanted] = [new Set(this.map.values()), new Set(groups.map((group) => this.map.get(group)))];
    for (const name of wanted) if (name !== undefined && !roles.some((role) => role.name === name)) this.log.warn(`OIDC_ROLE_MAP names a role that is none: ${name}`);
    const follows = ({ id, name }: Role): boolean => mapped.has(name) || (identity?.given.includes(id) ?? false);
    const after = [];
    for (const role of roles) {
      const keeps = role.held && (!follows(role) || (await this.isLastAdmin(userId, role, wanted, transaction)));
      if (wanted.has(role.name) || keeps) after.push(role);
    }
    const given = after.filter(follows).map(({ id }) => id);
    await transaction.query('UPDATE external_identities SET mapped_roles = $3, last_login_at = now() WHERE issuer = $1 AND subject = $2', [issuer, subject, given]);
    const before = roles.filter(({ held }) => held);
    if (before.length === after.length && after.every(({ held }) => held)) return false;
    await transaction.query('DELETE FROM user_roles WHERE user_id = $1', [userId]);
    await transaction.query('INSERT INTO user_roles (user_id, role_id) SELECT $1, unnest($2::uuid[])', [userId, after.map(({ id }) => id)]);
    await this.people.doubt([userId], transaction);
    const names = (some: Role[]): object => ({ roles: some.map(({ name }) => name) });
    await this.audit.record(
      { by: SYSTEM, action: 'users.set_roles', target: { type: 'user', id: userId }, outcome: 'done', before: names(before), after: names(after), detail: { how: 'openid' } },
      transaction,
    );
    return true;
  }

  private async isLastAdmin(userId: string, role: Role, wanted: ReadonlySet<string | undefined>, transaction: EntityManager): Promise<boolean> {
    if (!role.builtIn || role.name !== 'admin' || wanted.has(role.name)) return false;
    const last = !(await this.people.hasAdmin(transaction, userId));
    if (last) this.log.warn(`${userId} keeps the role admin, which no group of theirs gives any more: they are the last admin`);
    return last;
  }
}
