import { DEFAULT_CONCURRENCY, type Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Anonymous, Person } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { Conflict, Forbidden, Hidden, InvalidInput, NotFound, UnknownReference } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { page, type Page } from '../core/http/page.dto';
import { PeopleService } from '../identity/people.service';
import { RbacService } from '../rbac/rbac.service';
import type { AgentDescription } from './agent-descriptions.service';
import { ClientKeys, type KeyView } from './client-keys';
import type { CreateClientDto, ListClientsDto, UpdateClientDto } from './clients.dto';

export interface ClientView {
  id: string;
  name: string;
  status: 'online' | 'offline';
  lastSeenAt: Date | null;
  agent: AgentDescription | null;
  groups: string[];
  labels: Record<string, string>;
  concurrency: number;
  createdAt: Date;
}

export interface Targets {
  clientIds?: string[];
  groups?: string[];
  labels?: Record<string, string>;
  all?: boolean;
}

const VIEW = `c.id, c.name, c.status, c.agent, c.groups, c.labels, c.concurrency, c.created_at AS "createdAt",
  CASE WHEN c.status = 'online' THEN greatest(c.last_seen_at, g.seen_at) ELSE c.last_seen_at END AS "lastSeenAt"`;
const FROM = 'FROM clients c LEFT JOIN gateways g ON g.id = c.gateway_id';
const DAY_SECONDS = 86_400;
const UNIQUE_VIOLATION = '23505';

/** The machines. A removed one stays as the place where its commands ran, and is nowhere to be seen or addressed. */
@Injectable()
export class ClientsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
    private readonly rbac: RbacService,
    private readonly people: PeopleService,
    private readonly keys: ClientKeys,
    private readonly bus: Bus,
  ) {}

  async create(input: CreateClientDto, by: Person): Promise<ClientView & { clientKey: string }> {
    this.requireEverywhere(by);
    const { id, clientKey } = await this.database.transaction(async (transaction) => {
      await this.requireMayAddTo(input.groups ?? [], by, transaction);
      return this.insert(input, by, 'clients.create', transaction);
    });
    return { ...(await this.view(id)), clientKey };
  }

  /** For `create` and for the enrolment, inside their transactions. */
  async insert(
    input: CreateClientDto, by: Person | Anonymous, action: string, transaction: EntityManager, detail?: Record<string, unknown>,
  ): Promise<{ id: string; name: string; clientKey: string }> {
    requireFlatLabels(input.labels);
    const id = uuid();
    const [added] = await transaction.query<object[]>(
      `INSERT INTO clients (id, name, groups, labels, concurrency) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (name) WHERE deleted_at IS NULL DO NOTHING RETURNING name, groups, labels, concurrency`,
      [id, input.name, [...new Set(input.groups ?? [])], JSON.stringify(input.labels ?? {}), input.concurrency ?? DEFAULT_CONCURRENCY],
    );
    if (!added) throw nameTaken(input.name);
    await this.audit.record({ by, action, target: { type: 'client', id }, clientId: id, outcome: 'done', after: added, ...(detail && { detail }) }, transaction);
    return { id, name: input.name, clientKey: await this.keys.issue(id, input.name, transaction) };
  }

  /** By id or name; what `who` may not see does not exist for them. */
  async get(idOrName: string, who: Person, permission: Permission = 'clients.read'): Promise<ClientView> {
    const conditions = new Conditions().and(`c.${isUuid(idOrName) ? 'id' : 'name'} = ? AND c.deleted_at IS NULL`, idOrName);
    this.rbac.narrowToClients(conditions, who, permission, 'c.id');
    const [client] = await this.database.query<ClientView[]>(`SELECT ${VIEW} ${FROM} WHERE ${conditions.sql}`, conditions.values);
    if (!client && who.everywhere.includes(permission)) throw new NotFound('client');
    if (!client) throw new Hidden(permission, { type: 'client', id: idOrName });
    return client;
  }

  async list({ status, group, label, update, q, cursor, limit }: ListClientsDto, who: Person): Promise<Page<ClientView>> {
    const conditions = new Conditions([limit + 1])
      .and('c.deleted_at IS NULL')
      .given('c.status = ?', status)
      .given('c.groups @> ARRAY[?]::text[]', group)
      .given('strpos(lower(c.name), lower(?)) > 0', q)
      .given('c.id < ?', cursor);
    if (update === 'rolled_back') conditions.and(`jsonb_exists(c.agent, 'rolledBack')`);
    for (const wanted of label ?? []) {
      const [key = '', ...value] = wanted.split('=');
      if (value.length === 0) conditions.and('jsonb_exists(c.labels, ?)', key);
      else conditions.and('c.labels @> ?::jsonb', JSON.stringify({ [key]: value.join('=') }));
    }
    this.rbac.narrowToClients(conditions, who, 'clients.read', 'c.id');
    const rows = await this.database.query<ClientView[]>(
      `SELECT ${VIEW} ${FROM} WHERE ${conditions.sql} ORDER BY c.id DESC LIMIT $1`, conditions.values,
    );
    return page(rows, limit);
  }

  async update(idOrName: string, input: UpdateClientDto, by: Person): Promise<ClientView> {
    const { id } = await this.get(idOrName, by, 'clients.manage');
    requireFlatLabels(input.labels);
    await this.change(id, by, 'clients.update', async (transaction) => {
      if (input.name) {
        const [taken] = await transaction.query<unknown[]>('SELECT 1 FROM clients WHERE name = $1 AND id <> $2 AND deleted_at IS NULL', [input.name, id]);
        if (taken) throw nameTaken(input.name);
      }
      const groups = input.groups && (await this.changeGroups(id, [...new Set(input.groups)], by, transaction));
      await transaction.query(
        `UPDATE clients SET name = coalesce($2, name), groups = coalesce($3, groups), labels = coalesce($4, labels),
           concurrency = coalesce($5, concurrency) WHERE id = $1`,
        [id, input.name ?? null, groups ?? null, input.labels ? JSON.stringify(input.labels) : null, input.concurrency ?? null],
      );
    }).catch((error: Error & { code?: string }) => {
      // Two may take the same name at the same moment: the database lets one have it.
      throw error.code === UNIQUE_VIOLATION ? nameTaken(input.name ?? '') : error;
    });
    return this.view(id);
  }

  /** Its keys and grants end at once; the sweeper cancels what waits for it. */
  async remove(idOrName: string, by: Person): Promise<void> {
    const { id } = await this.get(idOrName, by, 'clients.manage');
    await this.change(id, by, 'clients.delete', async (transaction) => {
      await this.people.lockRights(transaction);
      await transaction.query(`UPDATE clients SET deleted_at = now(), status = 'offline' WHERE id = $1`, [id]);
      const reached = await transaction.query<{ id: string }[]>(
        `WITH ended AS (DELETE FROM client_permissions WHERE client_id = $1 RETURNING user_id, role_id)
         SELECT user_id AS id FROM ended WHERE user_id IS NOT NULL UNION SELECT ur.user_id FROM ended JOIN user_roles ur USING (role_id)`,
        [id],
      );
      await this.people.doubt(reached.map((person) => person.id), transaction);
      await this.keys.revokeAll(id, transaction);
    });
    this.bus.publish('revoked', { clientId: id });
  }

  async listKeys(idOrName: string, who: Person): Promise<{ items: KeyView[] }> {
    const { id } = await this.get(idOrName, who, 'clients.manage');
    return { items: await this.keys.list(id) };
  }

  /** A new key; the one of now stays valid for `overlapSeconds`, and every older one ends at once. */
  async rotateKey(idOrName: string, by: Person, overlapSeconds = DAY_SECONDS): Promise<{ id: string; name: string; clientKey: string }> {
    const { id, name } = await this.get(idOrName, by, 'clients.manage');
    const clientKey = await this.change(id, by, 'clients.rotate_key', async (transaction) => {
      await this.keys.retire(id, overlapSeconds, transaction);
      return this.keys.issue(id, name, transaction);
    });
    this.bus.publish('revoked', { clientId: id });
    return { id, name, clientKey };
  }

  async revokeKey(idOrName: string, keyId: string, by: Person): Promise<void> {
    const { id } = await this.get(idOrName, by, 'clients.manage');
    await this.change(id, by, 'clients.revoke_key', async (transaction) => {
      if (!isUuid(keyId) || !(await this.keys.revoke(id, keyId, transaction))) throw new NotFound('key');
    });
    this.bus.publish('revoked', { clientId: id });
  }

  /**
   * The ids of the clients that a batch of `action` means: those named one by one, which `who` must at least see, and, of the groups,
   * labels or all, those where `who` may run it.
   */
  async select(targets: Targets, action: string, who: Person): Promise<string[]> {
    const names = targets.clientIds ?? [];
    const ids = names.flatMap((name) => (isUuid(name) ? name.toLowerCase() : []));
    const labels = JSON.stringify(targets.labels ?? {});
    const seen = new Conditions()
      .and('deleted_at IS NULL')
      .and(
        `? OR id::text = ANY(?) OR name = ANY(?) OR groups && ? OR (?::jsonb <> '{}' AND labels @> ?::jsonb)`,
        targets.all ?? false, ids, names, targets.groups ?? [], labels, labels,
      );
    this.rbac.narrowToClients(seen, who, 'commands.create', 'id');
    const rows = await this.database.query<{ id: string; name: string }[]>(`SELECT id, name FROM clients WHERE ${seen.sql} ORDER BY id`, seen.values);
    const known = new Set(rows.flatMap(({ id, name }) => [id, name]));
    const unknown = names.flatMap((id, index) => (known.has(id) || (isUuid(id) && known.has(id.toLowerCase())) ? [] : [{ path: `targets.clientIds[${index}]`, id }]));
    if (unknown.length > 0) throw new UnknownReference('commands.create_batch', 'client', unknown);
    const named = new Set([...names, ...ids]);
    const meant = rows.filter(({ id, name }) => !named.has(id) && !named.has(name)).map(({ id }) => id);
    const allowed = new Set(await this.rbac.within(who, 'commands.create', action, meant));
    return rows.filter(({ id, name }) => named.has(id) || named.has(name) || allowed.has(id)).map(({ id }) => id);
  }

  /** Those of the clients that are not connected, by name. */
  offlineOf(ids: readonly string[]): Promise<{ id: string; name: string }[]> {
    return this.database.query(`SELECT id, name FROM clients WHERE id = ANY($1) AND status = 'offline' ORDER BY name`, [ids]);
  }

  /** What the agents of these clients say of an action: each thing once, and null for those that do not have it; with how many they are, and one of them. */
  saidOf(action: string, ids: readonly string[]): Promise<{ said: AgentDescription['actions'][number] | null; count: number; example: string }[]> {
    return this.database.query(
      `SELECT a.said, count(*)::integer AS count, min(c.name) AS example FROM clients c
       LEFT JOIN LATERAL (SELECT said FROM jsonb_array_elements(c.agent->'actions') said WHERE said->>'name' = $1 LIMIT 1) a ON true
       WHERE c.id = ANY($2) GROUP BY a.said`,
      [action, ids],
    );
  }

  /** New machines belong to nobody's grant yet: only who manages all may add one. */
  requireEverywhere(by: Person): void {
    if (!by.everywhere.includes('clients.manage')) throw new Forbidden('You need the permission clients.manage on all clients');
  }

  /** The grants of these groups will hold for a new machine: whoever puts it there must hold what they give to others. */
  async requireMayAddTo(groups: string[], by: Person, transaction: EntityManager): Promise<void> {
    if (groups.length > 0) await this.rbac.requireMayMove(by, { id: uuid(), groups: [] }, { joins: groups, leaves: [] }, transaction);
  }

  /** For whoever just changed it, even if that took it out of their own reach. */
  private async view(id: string): Promise<ClientView> {
    const [client] = await this.database.query<ClientView[]>(`SELECT ${VIEW} ${FROM} WHERE c.id = $1`, [id]);
    if (!client) throw new NotFound('client');
    return client;
  }

  private async changeGroups(id: string, groups: string[], by: Person, transaction: EntityManager): Promise<string[]> {
    const [current] = await transaction.query<{ groups: string[] }[]>('SELECT groups FROM clients WHERE id = $1 FOR UPDATE', [id]);
    const before = current?.groups ?? [];
    const joins = groups.filter((group) => !before.includes(group));
    const leaves = before.filter((group) => !groups.includes(group));
    await this.rbac.requireMayMove(by, { id, groups: before }, { joins, leaves }, transaction);
    await this.rbac.doubtGrantsOf(leaves, transaction);
    return groups;
  }

  private async change<T>(id: string, by: Person, action: string, act: (transaction: EntityManager) => Promise<T>): Promise<T> {
    const read = 'SELECT name, groups, labels, concurrency, deleted_at AS "deletedAt" FROM clients WHERE id = $1';
    const answer = await this.database.transaction(async (transaction) => {
      const [before] = await transaction.query<object[]>(read, [id]);
      const done = await act(transaction);
      const [after] = await transaction.query<object[]>(read, [id]);
      await this.audit.record({ by, action, target: { type: 'client', id }, clientId: id, outcome: 'done', ...(before && { before }), ...(after && { after }) }, transaction);
      return done;
    });
    this.bus.publish('client', { id });
    return answer;
  }
}

const nameTaken = (name: string): Conflict => new Conflict('name_taken', `There is a client named ${name} already`);

function requireFlatLabels(labels: Record<string, unknown> = {}): void {
  const faults = Object.entries(labels)
    .filter(([, value]) => typeof value !== 'string')
    .map(([key]) => ({ path: `labels.${key}`, message: 'must be a string' }));
  if (faults.length > 0) throw new InvalidInput(faults);
}
