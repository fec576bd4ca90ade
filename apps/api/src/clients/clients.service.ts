import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash, randomBytes } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { AgentPrincipal, Person } from '../core/access/access';
import { Conflict, InvalidInput, NotFound } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { page, type Page } from '../core/http/page.dto';
import type { CreateClientDto, ListClientsDto, UpdateClientDto } from './clients.dto';

export interface ClientView {
  id: string;
  name: string;
  status: 'online' | 'offline';
  lastSeenAt: Date | null;
  agent: { version: string; platform: string; actions: unknown[] } | null;
  groups: string[];
  labels: Record<string, string>;
  concurrency: number;
  createdAt: Date;
}

const VIEW = `c.id, c.name, c.status, c.agent, c.groups, c.labels, c.concurrency, c.created_at AS "createdAt",
  CASE WHEN c.status = 'online' THEN greatest(c.last_seen_at, g.seen_at) ELSE c.last_seen_at END AS "lastSeenAt"`;
const FROM = 'FROM clients c LEFT JOIN gateways g ON g.id = c.gateway_id';

/** The machines and their keys. A key is shown once and stored only as a hash. */
@Injectable()
export class ClientsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  async create(input: CreateClientDto, by: Person): Promise<ClientView & { clientKey: string }> {
    const id = uuid();
    requireFlatLabels(input.labels);
    const clientKey = await this.database.transaction(async (transaction) => {
      const [added] = await transaction.query<unknown[]>(
        `INSERT INTO clients (id, name, groups, labels, concurrency) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO NOTHING RETURNING id`,
        [id, input.name, input.groups ?? [], JSON.stringify(input.labels ?? {}), input.concurrency ?? 4],
      );
      if (!added) throw new Conflict('name_taken', `There is a client named ${input.name} already`);
      await this.recordChange('clients.create', id, by, transaction);
      return this.issueKey(id, input.name, transaction);
    });
    return { ...(await this.get(id)), clientKey };
  }

  /** By id or name. */
  async get(idOrName: string): Promise<ClientView> {
    const column = isUuid(idOrName) ? 'id' : 'name';
    const [client] = await this.database.query<ClientView[]>(`SELECT ${VIEW} ${FROM} WHERE c.${column} = $1`, [idOrName]);
    if (!client) throw new NotFound('client');
    return client;
  }

  async list({ status, group, q, cursor, limit }: ListClientsDto): Promise<Page<ClientView>> {
    const rows = await this.database.query<ClientView[]>(
      `SELECT ${VIEW} ${FROM}
       WHERE ($1::text IS NULL OR c.status = $1) AND ($2::text IS NULL OR c.groups @> ARRAY[$2])
         AND ($3::text IS NULL OR strpos(lower(c.name), lower($3)) > 0) AND ($4::uuid IS NULL OR c.id < $4)
       ORDER BY c.id DESC LIMIT $5`,
      [status ?? null, group ?? null, q ?? null, cursor ?? null, limit + 1],
    );
    return page(rows, limit);
  }

  async update(idOrName: string, input: UpdateClientDto, by: Person): Promise<ClientView> {
    const { id } = await this.get(idOrName);
    requireFlatLabels(input.labels);
    await this.database.transaction(async (transaction) => {
      if (input.name) {
        const [taken] = await transaction.query<unknown[]>('SELECT 1 FROM clients WHERE name = $1 AND id <> $2', [input.name, id]);
        if (taken) throw new Conflict('name_taken', `There is a client named ${input.name} already`);
      }
      await transaction.query(
        `UPDATE clients SET name = coalesce($2, name), groups = coalesce($3, groups), labels = coalesce($4, labels),
           concurrency = coalesce($5, concurrency) WHERE id = $1`,
        [id, input.name ?? null, input.groups ?? null, input.labels ? JSON.stringify(input.labels) : null, input.concurrency ?? null],
      );
      await this.recordChange('clients.update', id, by, transaction);
    });
    return this.get(id);
  }

  async remove(idOrName: string, by: Person): Promise<void> {
    const { id } = await this.get(idOrName);
    await this.database.transaction(async (transaction) => {
      await transaction.query('DELETE FROM clients WHERE id = $1', [id]);
      await this.recordChange('clients.delete', id, by, transaction);
    });
    this.bus.publish('revoked', { clientId: id });
  }

  /** A new key; every older one ends at once. */
  async rotateKey(idOrName: string, by: Person): Promise<{ id: string; name: string; clientKey: string }> {
    const { id, name } = await this.get(idOrName);
    const clientKey = await this.database.transaction(async (transaction) => {
      await transaction.query('DELETE FROM client_keys WHERE client_id = $1', [id]);
      await this.recordChange('clients.rotate_key', id, by, transaction);
      return this.issueKey(id, name, transaction);
    });
    this.bus.publish('revoked', { clientId: id });
    return { id, name, clientKey };
  }

  async findByKey(key: string): Promise<Omit<AgentPrincipal, 'origin'> | null> {
    const [row] = await this.database.query<{ id: string; name: string; keyId: string }[]>(
      `SELECT c.id, c.name, k.id AS "keyId" FROM client_keys k JOIN clients c ON c.id = k.client_id
       WHERE k.key_hash = $1 AND (k.valid_until IS NULL OR k.valid_until > now())`,
      [sha256(key)],
    );
    return row ? { type: 'agent', ...row } : null;
  }

  /** What the agent says of itself when it opens a session. */
  async describeAgent(id: string, agent: { version: string; platform: string; actions: unknown[] }): Promise<void> {
    await this.database.query('UPDATE clients SET agent = $2, last_seen_at = now() WHERE id = $1', [id, JSON.stringify(agent)]);
  }

  /** The ids of the clients that a batch means. */
  async select(targets: { clientIds?: string[]; groups?: string[]; labels?: Record<string, string>; all?: boolean }): Promise<string[]> {
    const names = targets.clientIds ?? [];
    const rows = await this.database.query<{ id: string; name: string }[]>(
      `SELECT id, name FROM clients
       WHERE $1 OR id::text = ANY($2) OR name = ANY($2) OR groups && $3 OR ($4::jsonb <> '{}' AND labels @> $4::jsonb) ORDER BY id`,
      [targets.all ?? false, names, targets.groups ?? [], JSON.stringify(targets.labels ?? {})],
    );
    const known = new Set(rows.flatMap(({ id, name }) => [id, name]));
    const unknown = names.flatMap((name, index) => (known.has(name) ? [] : [{ path: `targets.clientIds[${index}]`, message: 'there is no such client' }]));
    if (unknown.length > 0) throw new InvalidInput(unknown);
    return rows.map(({ id }) => id);
  }

  private async issueKey(id: string, name: string, transaction: EntityManager): Promise<string> {
    const slug = name.toLowerCase().replace(/[^a-z0-9]/g, '') || id.slice(-12);
    const key = `sk_${slug}_${randomBytes(24).toString('base64url')}`;
    await transaction.query('INSERT INTO client_keys (id, client_id, key_hash) VALUES ($1, $2, $3)', [uuid(), id, sha256(key)]);
    return key;
  }

  private recordChange(action: string, id: string, by: Person, transaction: EntityManager): Promise<void> {
    return this.audit.record({ by, action, target: { type: 'client', id }, clientId: id, outcome: 'done' }, transaction);
  }
}

function requireFlatLabels(labels: Record<string, unknown> = {}): void {
  const faults = Object.entries(labels)
    .filter(([, value]) => typeof value !== 'string')
    .map(([key]) => ({ path: `labels.${key}`, message: 'must be a string' }));
  if (faults.length > 0) throw new InvalidInput(faults);
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
