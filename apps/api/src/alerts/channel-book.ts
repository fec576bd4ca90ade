import type { AlertChannel } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { randomBytes } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { Cipher } from '../core/crypto/cipher';
import { Conflict, InvalidInput, NotFound } from '../core/errors/errors';
import { type Address, AlertStore, TRIES } from './alert-store';
import type { CreateChannelDto, UpdateChannelDto } from './alerts.dto';
import { Mailer } from './mailer';
import { WebhookSender } from './webhook-sender';

/** Both sides of a seal name it. */
export const secretContext = (channelId: string): string => `alerts.channel ${channelId}`;

const MOST_CHANNELS = 50;
const SECRET_BYTES = 32;
const VIEW = 'id, name, kind, url, addresses, created_at AS "createdAt"';

type Row = Omit<Address, 'secret'> & { name: string; createdAt: Date };
type Change = Pick<CreateChannelDto, 'name' | 'url' | 'addresses'>;

/**
 * The channels by which alerts reach people and programs. The secret of a webhook is made here, shown once, and kept sealed; the addresses of
 * webhooks often are secrets too, so that only who manages alerts sees them, and the audit record has no more than where they lead.
 */
@Injectable()
export class ChannelBook {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
    private readonly cipher: Cipher,
    private readonly webhooks: WebhookSender,
    private readonly mailer: Mailer,
    private readonly store: AlertStore,
  ) {}

  async list(): Promise<AlertChannel[]> {
    const rows = await this.database.query<Row[]>(`SELECT ${VIEW} FROM alert_channels ORDER BY name`);
    return rows.map(viewOf);
  }

  /** The secret of a webhook is in this answer and in no other. */
  async create({ name, kind, url, addresses }: CreateChannelDto, by: Person): Promise<AlertChannel & { secret?: string }> {
    this.requireFitting(kind, { name, ...(url && { url }), ...(addresses && { addresses }) });
    if (kind === 'email') this.mailer.requireServer();
    const id = uuid();
    const secret = kind === 'webhook' ? newSecret() : undefined;
    const row = await this.database.transaction(async (transaction) => {
      await lockAlerts(transaction);
      await this.requireFreeName(name, id, transaction);
      const [count] = await transaction.query<{ full: boolean }[]>(`SELECT count(*) >= ${MOST_CHANNELS} AS full FROM alert_channels`);
      if (count?.full) throw new Conflict('too_many_channels', `There are ${MOST_CHANNELS} channels already: remove one first`);
      const [added] = await transaction.query<Row[]>(
        `INSERT INTO alert_channels (id, name, kind, url, addresses, secret) VALUES ($1, $2, $3, $4, $5, $6) RETURNING ${VIEW}`,
        [id, name, kind, url ?? null, addresses ?? null, secret ? this.cipher.seal(secret, secretContext(id)) : null],
      );
      await this.record('alerts.create_channel', id, by, transaction, { after: recorded(added) });
      return added as Row;
    });
    return { ...viewOf(row), ...(secret && { secret }) };
  }

  async update(id: string, change: UpdateChannelDto, by: Person): Promise<AlertChannel> {
    const row = await this.database.transaction(async (transaction) => {
      await lockAlerts(transaction);
      const before = await this.find(id, transaction);
      this.requireFitting(before.kind, { name: before.name, ...(before.url && { url: before.url }), ...(before.addresses && { addresses: before.addresses }), ...change });
      if (change.name) await this.requireFreeName(change.name, id, transaction);
      await transaction.query(
        'UPDATE alert_channels SET name = coalesce($2, name), url = coalesce($3, url), addresses = coalesce($4, addresses) WHERE id = $1',
        [id, change.name ?? null, change.url ?? null, change.addresses ?? null],
      );
      const after = await this.find(id, transaction);
      await this.record('alerts.update_channel', id, by, transaction, { before: recorded(before), after: recorded(after) });
      return after;
    });
    return viewOf(row);
  }

  /** What was signed with the old one and is on its way may arrive after this. */
  async rotateSecret(id: string, by: Person): Promise<{ id: string; secret: string }> {
    const secret = newSecret();
    await this.database.transaction(async (transaction) => {
      const { kind } = await this.find(id, transaction);
      if (kind !== 'webhook') throw new Conflict('no_secret', 'Only webhooks have a secret');
      await transaction.query('UPDATE alert_channels SET secret = $2 WHERE id = $1', [id, this.cipher.seal(secret, secretContext(id))]);
      await this.record('alerts.rotate_secret', id, by, transaction);
    });
    return { id, secret };
  }

  /** Conflict `channel_in_use` while a rule tells it. */
  async remove(id: string, by: Person): Promise<void> {
    await this.database.transaction(async (transaction) => {
      await lockAlerts(transaction);
      const before = await this.find(id, transaction);
      const [used] = await transaction.query<{ name: string }[]>('SELECT name FROM alert_rules WHERE $1 = ANY(channels) ORDER BY name LIMIT 1', [id]);
      if (used) throw new Conflict('channel_in_use', `The rule ${used.name} tells this channel: take it out there first`);
      await transaction.query('DELETE FROM alert_channels WHERE id = $1', [id]);
      await this.record('alerts.delete_channel', id, by, transaction, { before: recorded(before) });
    });
  }

  /** Orders a delivery that says no more than that it is a test; answers its id. Whoever calls this wakes the postman afterwards. */
  async test(id: string, by: Person): Promise<{ deliveryId: string }> {
    const deliveryId = uuid();
    await this.database.transaction(async (transaction) => {
      await this.find(id, transaction);
      await transaction.query(`INSERT INTO alert_deliveries (id, channel_id, news, attempts_allowed) VALUES ($1, $2, 'test', ${TRIES})`, [deliveryId, id]);
      await this.record('alerts.test_channel', id, by, transaction, { detail: { deliveryId } });
    });
    this.store.announce({ alerts: [], deliveries: [deliveryId] });
    return { deliveryId };
  }

  private requireFitting(kind: Row['kind'], { url, addresses }: Change): void {
    if (kind === 'webhook' && addresses) throw new InvalidInput([{ path: 'addresses', message: 'only e-mail channels have addresses' }]);
    if (kind === 'email' && url !== undefined) throw new InvalidInput([{ path: 'url', message: 'only webhooks have an address of this kind' }]);
    if (kind === 'webhook') this.webhooks.requireUsable(url ?? '');
  }

  private async find(id: string, transaction: EntityManager): Promise<Row> {
    const [row] = isUuid(id) ? await transaction.query<Row[]>(`SELECT ${VIEW} FROM alert_channels WHERE id = $1 FOR UPDATE`, [id]) : [];
    if (!row) throw new NotFound('channel');
    return row;
  }

  private async requireFreeName(name: string, id: string, transaction: EntityManager): Promise<void> {
    const [other] = await transaction.query<unknown[]>('SELECT 1 FROM alert_channels WHERE name = $1 AND id <> $2', [name, id]);
    if (other) throw new Conflict('name_taken', `There is a channel named ${name} already`);
  }

  private record(action: string, id: string, by: Person, transaction: EntityManager, rest: object = {}): Promise<void> {
    return this.audit.record({ by, action, target: { type: 'alert_channel', id }, outcome: 'done', ...rest }, transaction);
  }
}

/** Those who change rules or channels come one after the other: names, numbers and what names what stay true. */
export async function lockAlerts(transaction: EntityManager): Promise<void> {
  await transaction.query(`SELECT pg_advisory_xact_lock(hashtext('gwanje.alerts'))`);
}

const newSecret = (): string => `gwh_${randomBytes(SECRET_BYTES).toString('base64url')}`;

function viewOf({ id, name, kind, url, addresses, createdAt }: Row): AlertChannel {
  const common = { id, name, createdAt: createdAt.toISOString() };
  return kind === 'webhook' ? { ...common, kind, url: url ?? '' } : { ...common, kind, addresses: addresses ?? [] };
}

/** For the audit record. */
function recorded(row: Row | undefined): object {
  if (!row) return {};
  const { name, kind, url, addresses } = row;
  return { name, kind, ...(url && { origin: new URL(url).origin }), ...(addresses && { addresses }) };
}
