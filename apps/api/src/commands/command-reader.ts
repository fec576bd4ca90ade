import { ANY_ACTION, type Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { ClientsService } from '../clients/clients.service';
import type { Person } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { Hidden, NotFound } from '../core/errors/errors';
import { page, type Page, type PageDto } from '../core/http/page.dto';
import { RedisClient } from '../core/queue/queue.module';
import { KEY_PREFIX } from '../core/queue/redis';
import { RbacService } from '../rbac/rbac.service';
import { phaseOf } from './command-store';
import { type CommandView, VIEW } from './command-view';
import type { ListCommandsDto } from './commands.dto';
import { PayloadSecrets, STORED_PAYLOAD, type StoredPayload } from './payload-secrets.service';

const CACHE_SECONDS = 300;
/** So many of the newest commands are looked through for a page before clients are asked one by one. */
const NEWEST = 2_000;
/** Of one status more is worth a look, unless there are few clients to ask: no index tells the newest of a client's that are in it. */
const NEWEST_OF_STATUS = 50_000;
const FEW_CLIENTS = 500;

/** Reads commands. Only `completed` ones are cached: no move leads out of that state, so the cache cannot be stale. */
@Injectable()
export class CommandReader {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly redis: RedisClient,
    private readonly clients: ClientsService,
    private readonly rbac: RbacService,
    private readonly secrets: PayloadSecrets,
  ) {}

  /**
   * What `who` may not see does not exist for them; that they tried is recorded. Whoever may not read, such as a script that only creates,
   * sees what they may do `permission` to.
   */
  async get(id: string, who: Person, permission: Permission = 'commands.read'): Promise<CommandView> {
    const command = await this.read(id);
    const by = who.permissions.includes('commands.read') ? 'commands.read' : permission;
    const refusal = await this.rbac.refusal(who, by, command.action, [command.clientId]);
    if (refusal) throw new Hidden('commands.read', { type: 'command', id });
    return command;
  }

  /** Throws Hidden or Forbidden unless `who` may do this to the command. */
  async requireMay(who: Person, permission: Permission, id: string): Promise<void> {
    const { action, clientId } = await this.get(id, who, permission);
    // What people are shown has `[redacted]` for a secret parameter: limits hold for the value that the agent gets.
    const [command] = await this.database.query<StoredPayload[]>(`SELECT ${STORED_PAYLOAD} FROM commands c WHERE id = $1`, [id]);
    if (!command) throw new NotFound('command');
    await this.rbac.requireMay(who, permission, action, [clientId], this.secrets.open(command) ?? command.payload);
  }

  private async read(id: string): Promise<CommandView> {
    if (!isUuid(id)) throw new NotFound('command');
    const key = `${KEY_PREFIX}command:${id.toLowerCase()}`;
    const cached = await this.redis.get(key).catch(() => null);
    if (cached) return JSON.parse(cached) as CommandView;
    const [command] = await this.database.query<CommandView[]>(`SELECT ${VIEW} FROM commands c WHERE id = $1`, [id]);
    if (!command) throw new NotFound('command');
    if (command.status === 'completed') this.redis.set(key, JSON.stringify(command), 'EX', CACHE_SECONDS).catch(() => undefined);
    return command;
  }

  async list(query: ListCommandsDto, who: Person): Promise<Page<CommandView>> {
    const clientId = query.clientId && (await this.clients.get(query.clientId, who)).id;
    const asked = { ...query, clientId };
    // One client or one batch has few enough to be looked through.
    const isSmall = clientId !== undefined || query.batchId !== undefined;
    if (isSmall || this.rbac.isEverywhere(who, 'commands.read')) return page(await this.all(asked, who), query.limit);
    const looksFurther = async (): Promise<boolean> => query.status !== undefined && !(await this.rbac.reachesFew(who, 'commands.read', FEW_CLIENTS));
    const rows =
      (await this.amongNewest(NEWEST, asked, who)) ??
      ((await looksFurther()) ? await this.amongNewest(NEWEST_OF_STATUS, asked, who) : null) ??
      (await this.ofEachClient(asked, who));
    return page(rows, query.limit);
  }

  private all(asked: ListCommandsDto, who: Person): Promise<CommandView[]> {
    const conditions = conditionsOf(asked, [asked.limit + 1]);
    this.rbac.narrowToCommands(conditions, who, 'commands.read', 'c.client_id', 'c.action');
    return this.database.query(`SELECT ${VIEW} FROM commands c WHERE ${conditions.sql} ORDER BY c.id DESC LIMIT $1`, conditions.values);
  }

  /** Those within reach among the newest of all: a full page at once, for whoever reaches much of what happens now. Null when older ones may belong to the page. */
  private async amongNewest(newest: number, asked: ListCommandsDto, who: Person): Promise<CommandView[] | null> {
    const conditions = conditionsOf(asked, [asked.limit + 1, newest]);
    const within = new Conditions(conditions.values);
    this.rbac.narrowToCommands(within, who, 'commands.read', 'c.client_id', 'c.action');
    const rows = await this.database.query<CommandView[]>(
      `SELECT ${VIEW} FROM (SELECT * FROM commands c WHERE ${conditions.sql} ORDER BY c.id DESC LIMIT $2) c
       WHERE ${within.sql} ORDER BY c.id DESC LIMIT $1`,
      conditions.values,
    );
    return rows.length > asked.limit || !(await this.hasOlder(newest, asked)) ? rows : null;
  }

  private async hasOlder(newest: number, asked: ListCommandsDto): Promise<boolean> {
    const conditions = conditionsOf(asked, [newest]);
    const older = await this.database.query<unknown[]>(
      `SELECT 1 FROM commands c WHERE ${conditions.sql} ORDER BY c.id DESC OFFSET $1 LIMIT 1`, conditions.values,
    );
    return older.length > 0;
  }

  /**
   * The newest within reach, however old they are: each client is asked for its newest, and no more than a page of clients, those whose
   * newest are the newest, can have a share in the page.
   */
  private ofEachClient(asked: ListCommandsDto, who: Person): Promise<CommandView[]> {
    const conditions = conditionsOf(asked, [asked.limit + 1]);
    const reach = this.rbac.reachOf(conditions, who, 'commands.read');
    const newest = (columns: string, limit: string): string =>
      `SELECT ${columns} FROM commands c WHERE c.client_id = mine.client_id AND (mine.actions @> '{${ANY_ACTION}}' OR mine.actions @> ARRAY[c.action])
         AND ${conditions.sql} ORDER BY c.id DESC LIMIT ${limit}`;
    return this.database.query(
      `WITH freshest AS MATERIALIZED (
         SELECT mine.* FROM (${reach}) mine CROSS JOIN LATERAL (${newest('c.id', '1')}) c ORDER BY c.id DESC LIMIT $1
       )
       SELECT ${VIEW} FROM freshest mine CROSS JOIN LATERAL (${newest('c.*', '$1')}) c ORDER BY c.id DESC LIMIT $1`,
      conditions.values,
    );
  }

  /** What waits for this client or is in flight, in the order in which it is served. */
  async queue(idOrName: string, { limit, cursor }: PageDto, who: Person): Promise<Page<CommandView>> {
    const { id } = await this.clients.get(idOrName, who);
    const conditions = new Conditions().and(`c.client_id = ? AND c.phase IN ('pending', 'open')`, id);
    this.rbac.narrowToCommands(conditions, who, 'commands.read', 'c.client_id', 'c.action');
    const place = (command: string): string => `${command}.status = 'pending', -${command}.priority, ${command}.id`;
    if (cursor) conditions.and(`(${place('c')}) > (SELECT ${place('l')} FROM commands l WHERE l.id = ?)`, cursor);
    const rows = await this.database.query<CommandView[]>(
      `SELECT ${VIEW} FROM commands c WHERE ${conditions.sql} ORDER BY ${place('c')} LIMIT ${limit + 1}`,
      conditions.values,
    );
    return page(rows, limit);
  }

  async logs(id: string, who: Person): Promise<{ items: unknown[] }> {
    await this.get(id, who);
    const items = await this.database.query<unknown[]>(
      `SELECT event_type AS "eventType", attempt, created_at AS "createdAt", data FROM command_logs WHERE command_id = $1 ORDER BY revision`,
      [id],
    );
    return { items };
  }

  /** Counts what `who` may see of it. */
  async batch(id: string, who: Person): Promise<{ id: string; action: string; total: number; byStatus: Record<string, number> }> {
    if (!isUuid(id)) throw new NotFound('batch');
    const [batch] = await this.database.query<{ id: string; action: string }[]>('SELECT id, action FROM batches WHERE id = $1', [id]);
    const conditions = new Conditions().and('c.batch_id = ?', id);
    this.rbac.narrowToCommands(conditions, who, 'commands.read', 'c.client_id', 'c.action');
    const counts = await this.database.query<{ status: string; count: number }[]>(
      `SELECT c.status, count(*)::integer AS count FROM commands c WHERE ${conditions.sql} GROUP BY c.status`, conditions.values,
    );
    if (!batch || counts.length === 0) throw new Hidden('commands.read', { type: 'batch', id });
    const total = counts.reduce((sum, { count }) => sum + count, 0);
    return { ...batch, total, byStatus: Object.fromEntries(counts.map(({ status, count }) => [status, count])) };
  }
}

/** What is asked for, of `commands c`; `values` stand before its own. */
function conditionsOf({ status, clientId, action, batchId, from, to, cursor }: ListCommandsDto, values: unknown[]): Conditions {
  // The status only where it says more than its phase: the planner would take each for a condition of its own.
  const phase = status && phaseOf(status);
  return new Conditions(values)
    .given('c.phase COLLATE "C" = ?', phase)
    .given('c.status = ?', phase === status ? undefined : status)
    .given('c.client_id = ?', clientId)
    .given('c.action = ?', action)
    .given('c.batch_id = ?', batchId)
    .given('c.created_at >= ?', from)
    .given('c.created_at < ?', to)
    .given('c.id < ?', cursor);
}
