import type { ParameterLimits, Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { Forbidden } from '../core/errors/errors';
import { PeopleService } from '../identity/people.service';
import { excess, type HeldGrant, type Holding, NOTHING, type Place } from './holding';

interface GrantRow {
  clientId: string | null;
  group: string | null;
  clientGroups: string[] | null;
  actions: string[];
  limits: ParameterLimits;
}

/** Reads what people and roles hold, inside the transaction that changes it, and refuses to give more than the giver holds. */
@Injectable()
export class Holdings {
  constructor(private readonly people: PeopleService) {}

  /** Changes of rights happen one after another: two that are each allowed could together give too much. */
  async lock(transaction: EntityManager): Promise<void> {
    await transaction.query(`SELECT pg_advisory_xact_lock(hashtext('gwanje:rights'))`);
  }

  /** A disabled user holds what they would hold again when enabled. */
  async ofUser(id: string, transaction: EntityManager): Promise<Holding> {
    const rows = await transaction.query<{ permissions: Permission[]; everywhere: boolean }[]>(
      `SELECT r.permissions, u.scope = 'all' AND r.scope = 'all' AS everywhere
       FROM users u JOIN user_roles ur ON ur.user_id = u.id JOIN roles r ON r.id = ur.role_id WHERE u.id = $1`,
      [id],
    );
    const grants = await this.grants(
      `p.user_id = $1 OR p.role_id IN (SELECT role_id FROM user_roles WHERE user_id = $1)`, id, transaction,
    );
    return {
      permissions: [...new Set(rows.flatMap((row) => row.permissions))],
      everywhere: [...new Set(rows.filter((row) => row.everywhere).flatMap((row) => row.permissions))],
      grants,
    };
  }

  /** What somebody with this role alone would hold. */
  async ofRole(id: string, transaction: EntityManager): Promise<Holding> {
    const [role] = await transaction.query<{ permissions: Permission[]; scope: string }[]>('SELECT permissions, scope FROM roles WHERE id = $1', [id]);
    if (!role) return NOTHING;
    const grants = await this.grants('p.role_id = $1', id, transaction);
    return { permissions: role.permissions, everywhere: role.scope === 'all' ? role.permissions : [], grants };
  }

  /** What was decided by these people's rights is decided again. */
  async doubt(userIds: readonly string[], transaction: EntityManager): Promise<void> {
    await transaction.query(
      `UPDATE users SET rights_version = rights_version + 1, rights_changed_at = now(), rights_doubted = true WHERE id = ANY($1)`, [userIds],
    );
  }

  /** Everybody whom a grant of one of these groups names, themselves or by a role. */
  async inGroups(groups: readonly string[], transaction: EntityManager): Promise<string[]> {
    const rows = await transaction.query<{ id: string }[]>(
      `SELECT user_id AS id FROM client_permissions WHERE group_name = ANY($1) AND user_id IS NOT NULL
       UNION SELECT ur.user_id FROM client_permissions p JOIN user_roles ur ON ur.role_id = p.role_id WHERE p.group_name = ANY($1)`,
      [groups],
    );
    return rows.map(({ id }) => id);
  }

  /** Users and roles that a change of this role touches: the role itself, and whoever holds it. */
  async aroundRole(id: string, transaction: EntityManager): Promise<{ users: string[]; role: string }> {
    const rows = await transaction.query<{ user_id: string }[]>('SELECT user_id FROM user_roles WHERE role_id = $1 ORDER BY user_id', [id]);
    return { role: id, users: rows.map((row) => row.user_id) };
  }

  /**
   * Runs `change` and throws Forbidden, so that the transaction is undone, when one of `affected` gained by it what `giverId` lacks.
   * Raises the version of everybody's rights whose rights it touched.
   */
  async give(
    giverId: string,
    affected: { users?: string[]; role?: string },
    transaction: EntityManager,
    change: () => Promise<void>,
  ): Promise<void> {
    // A person who was disabled since the request began gives nothing.
    const giver = (await this.people.byId(giverId, transaction)) ? await this.ofUser(giverId, transaction) : NOTHING;
    const read = async (): Promise<Holding[]> => {
      const holdings: Holding[] = [];
      for (const id of affected.users ?? []) holdings.push(await this.ofUser(id, transaction));
      if (affected.role) holdings.push(await this.ofRole(affected.role, transaction));
      return holdings;
    };
    const before = await read();
    await change();
    const tooMuch = (await read()).flatMap((after, index) => excess(giver, before[index] ?? NOTHING, after));
    if (tooMuch.length > 0) throw new Forbidden(`You cannot give what you do not have: ${[...new Set(tooMuch)].slice(0, 10).join('; ')}`);
    await this.doubt(affected.users ?? [], transaction);
  }

  /** Throws Forbidden unless `giverId` holds all that the user holds: whoever sets a password could use it. */
  async requireOver(giverId: string, userId: string, transaction: EntityManager): Promise<void> {
    const lacking = excess(await this.ofUser(giverId, transaction), NOTHING, await this.ofUser(userId, transaction));
    if (lacking.length > 0) throw new Forbidden(`This person may do what you may not: ${lacking.slice(0, 10).join('; ')}`);
  }

  /** Throws Forbidden unless the giver holds, on this client, all that the grants of these groups will carry to it. */
  async requireMayJoin(giverId: string, client: { id: string; groups: string[] }, groups: readonly string[], transaction: EntityManager): Promise<void> {
    await this.lock(transaction);
    const giver = await this.ofUser(giverId, transaction);
    for (const id of await this.inGroups(groups, transaction)) {
      const before = await this.ofUser(id, transaction);
      const place = { clientId: client.id, groups: client.groups };
      const joined = before.grants.filter((grant) => 'group' in grant.place && groups.includes(grant.place.group)).map((grant) => ({ ...grant, place }));
      const lacking = excess(giver, before, { ...before, grants: [...before.grants, ...joined] });
      if (lacking.length > 0) throw new Forbidden(`Joining ${groups.join(', ')} would give others what you do not have: ${lacking.slice(0, 10).join('; ')}`);
    }
  }

  private async grants(where: string, id: string, transaction: EntityManager): Promise<HeldGrant[]> {
    const rows = await transaction.query<GrantRow[]>(
      `SELECT p.client_id AS "clientId", p.group_name AS "group", c.groups AS "clientGroups", p.actions, p.limits
       FROM client_permissions p LEFT JOIN clients c ON c.id = p.client_id WHERE ${where}`,
      [id],
    );
    return rows.map(({ clientId, group, clientGroups, actions, limits }) => {
      const place: Place = clientId ? { clientId, groups: clientGroups ?? [] } : { group: group ?? '' };
      return { place, actions, limits };
    });
  }
}
