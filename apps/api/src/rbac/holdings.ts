import type { ParameterLimits, Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Person } from '../core/access/access';
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

/** Reads what people and roles hold, inside the transaction that changes it, and refuses to give or to take what the giver does not hold. */
@Injectable()
export class Holdings {
  constructor(private readonly people: PeopleService) {}

  lock(transaction: EntityManager): Promise<void> {
    return this.people.lockRights(transaction);
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

  doubt(userIds: readonly string[], transaction: EntityManager): Promise<void> {
    return this.people.doubt(userIds, transaction);
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
   * Runs `change` and throws Forbidden, so that the transaction is undone, when one of `affected` gained or lost by it what `giver`
   * lacks. Raises the version of everybody's rights whose rights it touched.
   */
  async change(
    giver: Person,
    affected: { users?: string[]; role?: string },
    transaction: EntityManager,
    change: () => Promise<void>,
  ): Promise<void> {
    const held = await this.ofGiver(giver, transaction);
    const read = async (): Promise<Holding[]> => {
      const holdings: Holding[] = [];
      for (const id of affected.users ?? []) holdings.push(await this.ofUser(id, transaction));
      if (affected.role) holdings.push(await this.ofRole(affected.role, transaction));
      return holdings;
    };
    const before = await read();
    await change();
    const after = await read();
    refuse('You cannot give what you do not have', after.flatMap((now, index) => excess(held, before[index] ?? NOTHING, now)));
    refuse('You cannot take what you do not have', after.flatMap((now, index) => excess(held, now, before[index] ?? NOTHING)));
    await this.doubt(affected.users ?? [], transaction);
  }

  /** Throws Forbidden unless `giver` holds all that the user holds: whoever sets a password could use it, and whoever disables disarms. */
  async requireOver(giver: Person, userId: string, transaction: EntityManager): Promise<void> {
    refuse('This person may do what you may not', excess(await this.ofGiver(giver, transaction), NOTHING, await this.ofUser(userId, transaction)));
  }

  /** Throws Forbidden unless the giver holds, on this client, all that the grants of the groups that it joins or leaves carry to it. */
  async requireMayMove(
    giver: Person, client: { id: string; groups: string[] }, { joins, leaves }: { joins: string[]; leaves: string[] }, transaction: EntityManager,
  ): Promise<void> {
    await this.lock(transaction);
    const held = await this.ofGiver(giver, transaction);
    const place = { clientId: client.id, groups: client.groups };
    for (const id of await this.inGroups([...joins, ...leaves], transaction)) {
      const holding = await this.ofUser(id, transaction);
      const by = (groups: string[]): HeldGrant[] => holding.grants.filter((grant) => 'group' in grant.place && groups.includes(grant.place.group));
      const here = (grants: HeldGrant[]): Holding => ({ ...holding, grants: grants.map((grant) => ({ ...grant, place })) });
      refuse(`Joining ${joins.join(', ')} would give others what you do not have`, excess(held, holding, here(by(joins))));
      const kept = { ...holding, grants: holding.grants.filter((grant) => !by(leaves).includes(grant)) };
      refuse(`Leaving ${leaves.join(', ')} would take from others what you do not have`, excess(held, kept, here(by(leaves))));
    }
  }

  /** What the caller holds now, no more than their session or token carries. Throws Forbidden when they lost something of it since the request began. */
  private async ofGiver(giver: Person, transaction: EntityManager): Promise<Holding> {
    const now = await this.people.byId(giver.id, transaction);
    const keeps = now?.secondFactor.satisfied && giver.permissions.every((name) => now.permissions.includes(name)) && giver.everywhere.every((name) => now.everywhere.includes(name));
    if (!keeps) throw new Forbidden('Your rights were withdrawn a moment ago');
    const { permissions, everywhere, grants } = await this.ofUser(giver.id, transaction);
    return {
      permissions: permissions.filter((permission) => giver.permissions.includes(permission)),
      everywhere: everywhere.filter((permission) => giver.everywhere.includes(permission)),
      grants,
    };
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

function refuse(why: string, lacking: string[]): void {
  if (lacking.length > 0) throw new Forbidden(`${why}: ${[...new Set(lacking)].slice(0, 10).join('; ')}`);
}
