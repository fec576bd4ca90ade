import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { NIL } from 'uuid';
import type { Person } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import type { Queries } from '../core/database/queries';
import type { Statement } from '../core/database/statement';

/** Somebody's account with the rights that it has at this moment; not bound to a request. */
export type Account = Omit<Person, 'type' | 'origin' | 'sessionId' | 'tokenId'>;

/**
 * SQL: the accounts of those `from` whose `key` is among $1, with the rights that `proven` gives: somebody who has a second factor must have
 * proven it; somebody who has none may do without unless a role demands it.
 */
const accounts = (key: string, from: string, proven: string): string => `SELECT ${key} AS key, u.id, u.email, u.name, u.rights_version AS "rightsVersion",
    coalesce(array_agg(DISTINCT r.name) FILTER (WHERE r.id IS NOT NULL), '{}') AS roles,
    coalesce(array_agg(DISTINCT p) FILTER (WHERE f.satisfied AND p IS NOT NULL), '{}') AS permissions,
    coalesce(array_agg(DISTINCT p) FILTER (WHERE f.satisfied AND p IS NOT NULL AND u.scope = 'all' AND r.scope = 'all'), '{}') AS everywhere,
    json_build_object('enabled', f.enabled, 'required', f.required, 'satisfied', f.satisfied) AS "secondFactor"
  FROM ${from} CROSS JOIN LATERAL (
    SELECT enabled, required, CASE WHEN enabled THEN ${proven} ELSE NOT required END AS satisfied FROM (
      SELECT EXISTS (SELECT FROM second_factors WHERE user_id = u.id AND confirmed_at IS NOT NULL) AS enabled,
        EXISTS (SELECT FROM user_roles JOIN roles ON roles.id = role_id WHERE user_id = u.id AND requires_second_factor) AS required) state) f
    LEFT JOIN user_roles ur ON ur.user_id = u.id LEFT JOIN roles r ON r.id = ur.role_id LEFT JOIN LATERAL unnest(r.permissions) p ON true
  WHERE ${key} = ANY($1) AND u.disabled_at IS NULL GROUP BY ${key}, u.id, f.enabled, f.required, f.satisfied`;

const OPEN_SESSIONS = '(SELECT * FROM sessions WHERE revoked_at IS NULL AND expires_at > now()) s';
const BY_SESSION = accounts('s.id', `${OPEN_SESSIONS} JOIN users u ON u.id = s.user_id`, 's.second_factor');
const BY_ID = accounts('u.id', 'users u', 'true');

/** SQL: of the sessions and tokens $1, those that have not ended, and the version of their people's rights. */
const PROOFS = `SELECT s.id, u.rights_version AS version FROM sessions s JOIN users u ON u.id = s.user_id
  WHERE s.id = ANY($1) AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL
  UNION ALL
  SELECT t.id, u.rights_version FROM personal_access_tokens t JOIN users u ON u.id = t.user_id
  WHERE t.id = ANY($1) AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > now()) AND u.disabled_at IS NULL`;

/** What somebody has shown to be who they are. */
const proofOf = ({ sessionId, tokenId }: Person): string => sessionId ?? tokenId ?? NIL;

/** Tells who somebody is and what they may do as of now. A disabled user and an ended session are nobody. */
@Injectable()
export class PeopleService {
  /** Each call of a person is a search, and planning one takes five times as long as doing it: so they are prepared, and those of one moment go together. */
  private readonly searches = new GroupCommit<string, Account | null>((sessionIds) => find(BY_SESSION, sessionIds, this.hot));
  private readonly searchesById = new GroupCommit<string, Account | null>((userIds) => find(BY_ID, userIds, this.hot));

  constructor(private readonly hot: HotDatabase) {}

  bySession(sessionId: string): Promise<Account | null> {
    return this.searches.add(sessionId);
  }

  /** With the rights of a session, or a token, that proved all that can be proven. */
  async byId(userId: string, transaction?: EntityManager): Promise<Account | null> {
    if (!transaction) return this.searchesById.add(userId);
    const [account] = await find(BY_ID, [userId], transaction);
    return account ?? null;
  }

  /** Changes of rights happen one after another: two that are each allowed could together be too much. */
  async lockRights(transaction: EntityManager): Promise<void> {
    await transaction.query(`SELECT pg_advisory_xact_lock(hashtext('gwanje:rights'))`);
  }

  /** What was decided by these people's rights is decided again. */
  async doubt(userIds: readonly string[], transaction: EntityManager): Promise<void> {
    await transaction.query(
      `UPDATE users SET rights_version = rights_version + 1, rights_changed_at = now(), rights_doubted = true WHERE id = ANY($1)`, [userIds],
    );
  }

  /** Whether somebody besides `except` is an admin of everything; true until the commit for whoever holds the lock on rights. */
  async hasAdmin(transaction: EntityManager, except?: string): Promise<boolean> {
    const admins = await transaction.query<unknown[]>(
      `SELECT 1 FROM users u JOIN user_roles ur ON ur.user_id = u.id JOIN roles r ON r.id = ur.role_id
       WHERE r.built_in AND r.name = 'admin' AND u.scope = 'all' AND u.disabled_at IS NULL AND u.id IS DISTINCT FROM $1 LIMIT 1`,
      [except ?? null],
    );
    return admins.length > 0;
  }

  /** Whose session or token has ended, and whose rights are no longer what they were; nothing of the others. */
  async changed(people: readonly Person[]): Promise<Map<Person, 'ended' | 'rights_changed'>> {
    const rows = await this.hot.query<{ id: string; version: number }[]>(PROOFS, [people.map(proofOf)]);
    const versions = new Map(rows.map(({ id, version }) => [id, version]));
    const changes = new Map<Person, 'ended' | 'rights_changed'>();
    for (const person of people) {
      const version = versions.get(proofOf(person));
      if (version === undefined) changes.set(person, 'ended');
      else if (version !== person.rightsVersion) changes.set(person, 'rights_changed');
    }
    return changes;
  }

  /** Refuses when the session or the token of one of these has ended, or their rights are no longer what they were. */
  requireUnchanged(people: readonly Person[]): Statement<never> {
    const versions = [...new Map(people.map((person) => [`${proofOf(person)} ${person.rightsVersion}`, person])).values()];
    return {
      text: `SELECT refuse('rights_changed') FROM unnest($1::uuid[], $2::integer[]) AS seen (id, version)
        WHERE NOT EXISTS (SELECT FROM (${PROOFS}) now WHERE now.id = seen.id AND now.version = seen.version)`,
      values: [versions.map(proofOf), versions.map(({ rightsVersion }) => rightsVersion)],
    };
  }
}

/** In the order of the keys. */
async function find(text: string, keys: readonly string[], database: Queries): Promise<(Account | null)[]> {
  const rows = await database.query<(Account & { key: string })[]>(text, [keys]);
  const found = new Map(rows.map(({ key, ...account }): [string, Account] => [key, account]));
  return keys.map((key) => found.get(key) ?? null);
}
