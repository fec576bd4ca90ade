import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { Person } from '../core/access/access';

/** Somebody's account with the rights that it has at this moment; not bound to a request. */
export type Account = Omit<Person, 'type' | 'origin' | 'sessionId' | 'tokenId'>;

const COLUMNS = `u.id, u.email, u.name, u.rights_version AS "rightsVersion",
  coalesce(array_agg(DISTINCT r.name) FILTER (WHERE r.id IS NOT NULL), '{}') AS roles,
  coalesce(array_agg(DISTINCT p) FILTER (WHERE p IS NOT NULL), '{}') AS permissions,
  coalesce(array_agg(DISTINCT p) FILTER (WHERE p IS NOT NULL AND u.scope = 'all' AND r.scope = 'all'), '{}') AS everywhere`;
const ROLES = `LEFT JOIN user_roles ur ON ur.user_id = u.id LEFT JOIN roles r ON r.id = ur.role_id LEFT JOIN LATERAL unnest(r.permissions) p ON true`;

/** Tells who somebody is and what they may do as of now. A disabled user and an ended session are nobody. */
@Injectable()
export class PeopleService {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async bySession(sessionId: string): Promise<Account | null> {
    return this.find(
      `FROM sessions s JOIN users u ON u.id = s.user_id ${ROLES}
       WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL`,
      sessionId,
    );
  }

  async byId(userId: string, transaction?: EntityManager): Promise<Account | null> {
    return this.find(`FROM users u ${ROLES} WHERE u.id = $1 AND u.disabled_at IS NULL`, userId, transaction);
  }

  /** Those whose session still stands and whose rights are what they were. */
  async stillAs(people: readonly Person[]): Promise<Set<Person>> {
    const rows = await this.database.query<{ id: string; version: number }[]>(
      `SELECT s.id, u.rights_version AS version FROM sessions s JOIN users u ON u.id = s.user_id
       WHERE s.id = ANY($1) AND s.revoked_at IS NULL AND s.expires_at > now() AND u.disabled_at IS NULL`,
      [people.flatMap(({ sessionId }) => sessionId ?? [])],
    );
    const versions = new Map(rows.map(({ id, version }) => [id, version]));
    return new Set(people.filter(({ sessionId, rightsVersion }) => versions.get(sessionId ?? '') === rightsVersion));
  }

  private async find(from: string, id: string, transaction: EntityManager = this.database.manager): Promise<Account | null> {
    const [account] = await transaction.query<Account[]>(`SELECT ${COLUMNS} ${from} GROUP BY u.id`, [id]);
    return account ?? null;
  }
}
