import type { Grant } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { InvalidInput, NotFound } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { ClientPermissionEntity } from './client-permission.entity';
import type { SetGrantsDto } from './grants.dto';
import { Holdings } from './holdings';
import { inspectLimits } from './parameter-limits';

export type GrantView = Grant & { id: string };
type GrantInput = SetGrantsDto['items'][number];

/** What the grants hang on: one client and its groups, or one group. */
interface Place {
  clientId: string | null;
  groups: string[];
}

const VIEW = `SELECT p.id, u.email AS "user", r.name AS role, p.group_name AS "group", p.actions, p.limits
  FROM client_permissions p LEFT JOIN users u ON u.id = p.user_id LEFT JOIN roles r ON r.id = p.role_id`;

/**
 * `client_permissions`: who may run which actions on which client or group. Naming a person in a grant confines that person to
 * grants (unless they manage grants themselves), and taking it away does not free them again: nobody gains a right by losing one.
 */
@Injectable()
export class GrantsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly holdings: Holdings,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  async ofClient(idOrName: string, by: Person): Promise<{ items: GrantView[] }> {
    return { items: await this.read(await this.place(idOrName, by, this.database.manager), this.database.manager) };
  }

  async ofGroup(group: string, by: Person): Promise<{ items: GrantView[] }> {
    await this.requireSight({ clientId: null, groups: [group] }, by, this.database.manager);
    return { items: await this.read({ clientId: null, groups: [group] }, this.database.manager) };
  }

  /** Replaces the client's own grants, and those of each of its groups that an item names. */
  async setOfClient(idOrName: string, input: GrantInput[], by: Person): Promise<{ items: GrantView[] }> {
    return this.replace(by, async (transaction) => {
      const whole = await this.place(idOrName, by, transaction);
      const { clientId, groups } = whole;
      const faults = input.flatMap(({ group }, index) =>
        group === undefined || groups.includes(group) ? [] : [{ path: `items[${index}].group`, message: 'the client is not in this group' }],
      );
      if (faults.length > 0) throw new InvalidInput(faults);
      return { replaced: { clientId, groups: [...new Set(input.flatMap(({ group }) => group ?? []))] }, whole };
    }, input);
  }

  /** Replaces the grants of a group. */
  async setOfGroup(group: string, input: GrantInput[], by: Person): Promise<{ items: GrantView[] }> {
    const other = input.findIndex((item) => item.group !== undefined && item.group !== group);
    if (other >= 0) throw new InvalidInput([{ path: `items[${other}].group`, message: `must be ${group}, or left out` }]);
    const items = input.map((item) => ({ ...item, group }));
    const whole = { clientId: null, groups: [group] };
    return this.replace(by, async (transaction) => {
      await this.requireSight(whole, by, transaction);
      return { replaced: whole, whole };
    }, items);
  }

  private async replace(
    by: Person,
    where: (transaction: EntityManager) => Promise<{ replaced: Place; whole: Place }>,
    input: GrantInput[],
  ): Promise<{ items: GrantView[] }> {
    input.forEach(({ limits, actions }, index) => inspectLimits(limits ?? {}, actions, `items[${index}]`));
    const { userIds, items } = await this.database.transaction(async (transaction) => {
      await this.holdings.lock(transaction);
      const { replaced: place, whole } = await where(transaction);
      const grants: ClientPermissionEntity[] = [];
      for (const [index, item] of input.entries()) grants.push(await this.resolve(item, index, place, by, transaction));
      const affected = await this.affected(place, grants, transaction);
      await this.holdings.change(by, affected, transaction, () => this.store(place, grants, by, transaction));
      return { userIds: affected.users, items: await this.read(whole, transaction) };
    });
    this.bus.publish('rights', { userIds });
    return { items };
  }

  private async store(place: Place, grants: ClientPermissionEntity[], by: Person, transaction: EntityManager): Promise<void> {
    const before = await this.read(place, transaction);
    await transaction.query('DELETE FROM client_permissions WHERE client_id = $1 OR group_name = ANY($2)', [place.clientId, place.groups]);
    await transaction.getRepository(ClientPermissionEntity).save(grants);
    const named = grants.flatMap(({ userId }) => userId ?? []);
    await transaction.query(
      `UPDATE users u SET scope = 'granted' WHERE id = ANY($1) AND NOT EXISTS (
         SELECT 1 FROM user_roles ur JOIN roles r ON r.id = ur.role_id WHERE ur.user_id = u.id AND 'grants.manage' = ANY(r.permissions))`,
      [named],
    );
    const after = await this.read(place, transaction);
    const target = place.clientId ? { type: 'client', id: place.clientId } : { type: 'group', id: place.groups[0] ?? null };
    const entry = { by, action: 'grants.set', target, outcome: 'done' as const, before: { items: before }, after: { items: after } };
    await this.audit.record({ ...entry, ...(place.clientId && { clientId: place.clientId }) }, transaction);
  }

  private async resolve(item: GrantInput, index: number, place: Place, by: Person, transaction: EntityManager): Promise<ClientPermissionEntity> {
    const path = `items[${index}]`;
    if ((item.user === undefined) === (item.role === undefined)) throw new InvalidInput([{ path, message: 'must name either user or role' }]);
    const grant = new ClientPermissionEntity();
    grant.id = uuid();
    grant.clientId = item.group === undefined ? place.clientId : null;
    grant.group = item.group ?? null;
    grant.userId = item.user === undefined ? null : await this.idOf('users', 'account_key(email) = account_key($1) AND deleted_at IS NULL', item.user, `${path}.user`, transaction);
    grant.roleId = item.role === undefined ? null : await this.idOf('roles', 'name = $1', item.role, `${path}.role`, transaction);
    grant.actions = [...new Set(item.actions)];
    grant.limits = item.limits ?? {};
    grant.createdBy = by.id;
    return grant;
  }

  private async idOf(table: 'users' | 'roles', isNamed: string, key: string, path: string, transaction: EntityManager): Promise<string> {
    const [row] = await transaction.query<{ id: string }[]>(`SELECT id FROM ${table} WHERE ${isUuid(key) ? 'id = $1' : isNamed}`, [key]);
    if (!row) throw new InvalidInput([{ path, message: table === 'users' ? 'there is no such person' : 'there is no such role' }]);
    return row.id;
  }

  /** Everybody whose grants these are or were, themselves or through a role. */
  private async affected(place: Place, grants: ClientPermissionEntity[], transaction: EntityManager): Promise<{ users: string[] }> {
    const rows = await transaction.query<{ id: string }[]>(
      `SELECT user_id AS id FROM client_permissions WHERE (client_id = $1 OR group_name = ANY($2)) AND user_id IS NOT NULL
       UNION SELECT unnest($3::uuid[])
       UNION SELECT ur.user_id FROM user_roles ur WHERE ur.role_id = ANY($4) OR ur.role_id IN (
         SELECT role_id FROM client_permissions WHERE client_id = $1 OR group_name = ANY($2))`,
      [place.clientId, place.groups, grants.flatMap(({ userId }) => userId ?? []), grants.flatMap(({ roleId }) => roleId ?? [])],
    );
    return { users: rows.map(({ id }) => id) };
  }

  private async place(idOrName: string, by: Person, transaction: EntityManager): Promise<Place> {
    const column = isUuid(idOrName) ? 'id' : 'name';
    const [client] = await transaction.query<{ id: string; groups: string[] }[]>(`SELECT id, groups FROM clients WHERE ${column} = $1 AND deleted_at IS NULL`, [idOrName]);
    if (!client) throw new NotFound('client');
    const place = { clientId: client.id, groups: client.groups };
    await this.requireSight(place, by, transaction);
    return place;
  }

  /** What the caller may not know of does not exist for them. */
  private async requireSight(place: Place, by: Person, transaction: EntityManager): Promise<void> {
    if (by.everywhere.includes('clients.read')) return;
    const [seen] = await transaction.query<unknown[]>(
      `SELECT 1 FROM client_reach WHERE user_id = $1 AND client_id = $2
       UNION ALL SELECT 1 FROM client_permissions p WHERE $2::uuid IS NULL AND p.group_name = ANY($3)
         AND (p.user_id = $1 OR p.role_id IN (SELECT role_id FROM user_roles WHERE user_id = $1)) LIMIT 1`,
      [by.id, place.clientId, place.groups],
    );
    if (!seen) throw new NotFound(place.clientId ? 'client' : 'group');
  }

  private async read(place: Place, transaction: EntityManager): Promise<GrantView[]> {
    const rows = await transaction.query<Record<keyof GrantView, unknown>[]>(
      `${VIEW} WHERE p.client_id = $1 OR p.group_name = ANY($2) ORDER BY p.id`, [place.clientId, place.groups],
    );
    // What does not apply is left out, so that an answer can be sent back as it is.
    return rows.map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as unknown as GrantView);
  }
}
