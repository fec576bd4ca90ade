import type { CommandState, Permission } from '@gwanje/contracts';
import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { ExportsService } from '../audit/exports/exports.service';
import type { Person } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { Bus } from '../core/events/bus.service';
import { type EventStream, eventText } from '../core/http/sse';
import { RbacService } from '../rbac/rbac.service';

export const NEWS_TOPICS = ['commands', 'clients', 'exports'] as const;
export type NewsTopic = (typeof NEWS_TOPICS)[number];

/** `data` of `event: command`: the command as it is now. A reader keeps the one of the highest `revision`. */
export interface CommandNews {
  id: string;
  clientId: string;
  batchId: string | null;
  action: string;
  priority: number;
  status: CommandState;
  attempt: number;
  revision: number;
  errorMessage: string | null;
  createdAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
}

interface Watcher {
  person: Person;
  topics: ReadonlySet<NewsTopic>;
  stream: NewsStream;
}

/** What it needs of a stream. */
export type NewsStream = Pick<EventStream, 'send' | 'write' | 'onClose'>;

/** Ids that changed, with the revision if it is known, by topic. */
type Changes = Record<NewsTopic, Map<string, number>>;
const nothing = (): Changes => ({ commands: new Map(), clients: new Map(), exports: new Map() });
const countOf = (changes: Changes): number => NEWS_TOPICS.reduce((count, topic) => count + changes[topic].size, 0);

const COLUMNS: Record<Exclude<NewsTopic, 'exports'>, string> = {
  commands: `c.id, c.client_id AS "clientId", c.batch_id AS "batchId", c.action, c.priority, c.status, c.attempt, c.revision,
    c.error_message AS "errorMessage", c.created_at AS "createdAt", c.started_at AS "startedAt", c.completed_at AS "completedAt"`,
  clients: `c.id, c.name, c.status, c.last_seen_at AS "lastSeenAt", c.groups, c.labels, c.deleted_at AS "deletedAt",
    c.changed_xid::text::float8 AS revision`,
};
const EVENT: Record<NewsTopic, string> = { commands: 'command', clients: 'client', exports: 'export' };
const PERMISSION: Record<NewsTopic, Permission> = { commands: 'commands.read', clients: 'clients.read', exports: 'audit.export' };

const GATHER_MS = 100;
const CATCH_UP_MS = 2_000;
/** A reader that missed more than this is told to read its lists again. */
const MOST_MISSED = 2_000;

/**
 * Tells consoles what changed among what they may see. Every two seconds an event `point` carries, as its id, a point in PostgreSQL's
 * order of transactions below which everything has been told: whoever comes back with it may hear something twice, and misses nothing.
 */
@Injectable()
export class NewsDesk implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('NewsDesk');
  private readonly watchers = new Set<Watcher>();
  private changes = nothing();
  /** What was told since the last two points: the catch-up does not repeat it. */
  private told = nothing();
  private toldBefore = nothing();
  private telling?: Promise<void>;
  private timer?: NodeJS.Timeout;
  private point?: string;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly rbac: RbacService,
    private readonly exports: ExportsService,
    private readonly bus: Bus,
  ) {}

  onApplicationBootstrap(): void {
    this.bus.on('commands', ({ ids }) => this.note('commands', ids));
    this.bus.on('client', ({ id }) => this.note('clients', [id]));
    this.bus.on('exports', ({ ids }) => this.note('exports', ids));
    this.timer = setInterval(() => void this.catchUp().catch((error: Error) => this.log.warn(`catch-up: ${error.message}`)), CATCH_UP_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** The watcher hears live news before it is told what it missed: between the two there is no gap. */
  async watch(person: Person, topics: readonly NewsTopic[], lastEventId: string | undefined, stream: NewsStream): Promise<void> {
    const watcher = { person, topics: new Set(topics), stream };
    const horizon = await this.horizon();
    this.point ??= horizon;
    stream.send('hello', { topics });
    this.watchers.add(watcher);
    stream.onClose(() => this.watchers.delete(watcher));
    const from = lastEventId === undefined ? horizon : /^\d{1,19}$/.test(lastEventId) ? lastEventId : null;
    const missed = from === null ? null : await this.since(from);
    if (missed) await this.tell([watcher], missed);
    else stream.send('resync', {});
    stream.send('point', {}, horizon);
  }

  private note(topic: NewsTopic, ids: readonly string[]): void {
    if (this.watchers.size === 0) return;
    for (const id of ids) this.changes[topic].set(id, 0);
    this.telling ??= this.tellGathered().finally(() => (this.telling = undefined));
  }

  /** At once when it was quiet; what comes meanwhile is gathered. */
  private async tellGathered(): Promise<void> {
    while (countOf(this.changes) > 0) {
      const changes = this.changes;
      this.changes = nothing();
      const watchers = [...this.watchers];
      if (countOf(changes) > MOST_MISSED) resync(watchers);
      else await this.tell(watchers, changes, this.told).catch((error: Error) => this.log.warn(`told later: ${error.message}`));
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    }
  }

  /** Finds what no news came of: from another process while Redis was away, or lost. */
  private async catchUp(): Promise<void> {
    if (this.watchers.size === 0) {
      this.point = undefined;
      return;
    }
    const watchers = [...this.watchers];
    const horizon = await this.horizon();
    const missed = await this.since(this.point ?? horizon);
    if (missed) await this.tell(watchers, this.untold(missed));
    else resync(watchers);
    for (const { stream } of watchers) stream.send('point', {}, horizon);
    this.point = horizon;
    this.toldBefore = this.told;
    this.told = nothing();
  }

  private untold(missed: Changes): Changes {
    const isNew = (topic: NewsTopic, [id, revision]: [string, number]): boolean =>
      revision > Math.max(this.told[topic].get(id) ?? -1, this.toldBefore[topic].get(id) ?? -1);
    const untold = nothing();
    for (const topic of NEWS_TOPICS) untold[topic] = new Map([...missed[topic]].filter((change) => isNew(topic, change)));
    return untold;
  }

  /** `told` keeps what was told to everybody. */
  private async tell(watchers: Watcher[], changes: Changes, told?: Changes): Promise<void> {
    for (const topic of NEWS_TOPICS) {
      const ids = [...changes[topic].keys()];
      const readers = watchers.filter((watcher) => watcher.topics.has(topic));
      if (ids.length === 0 || readers.length === 0) continue;
      const rows: { id: string; revision: number }[] = [];
      for (const group of alike(readers, topic)) {
        const [first] = group;
        const seen = first ? await this.read(topic, ids, first.person) : [];
        // Once for all who read the same, however many they are.
        const text = seen.map((row) => eventText(EVENT[topic], row)).join('');
        if (text) for (const { stream } of group) stream.write(text);
        rows.push(...seen);
      }
      // Only now: had one query failed, the catch-up would have to tell all of it again.
      for (const row of rows) told?.[topic].set(row.id, row.revision);
    }
  }

  private read(topic: NewsTopic, ids: string[], person: Person): Promise<{ id: string; revision: number }[]> {
    if (topic === 'exports') return this.exports.news(ids, person.id);
    const conditions = new Conditions().and('c.id = ANY(?)', ids);
    if (topic === 'commands') this.rbac.narrowToCommands(conditions, person, 'commands.read', 'c.client_id', 'c.action');
    else this.rbac.narrowToClients(conditions, person, 'clients.read', 'c.id');
    return this.database.query(`SELECT ${COLUMNS[topic]} FROM ${topic} c WHERE ${conditions.sql} ORDER BY c.id`, conditions.values);
  }

  private async horizon(): Promise<string> {
    const [row] = await this.database.query<{ xmin: string }[]>('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin');
    return row?.xmin ?? '0';
  }

  /** What changed from this point on, or null when it is too much to tell. */
  private async since(point: string): Promise<Changes | null> {
    const commands = await this.database.query<{ id: string; revision: number }[]>(
      `SELECT command_id AS id, max(revision) AS revision
       FROM (SELECT command_id, revision FROM command_logs WHERE xid >= $1::text::xid8 LIMIT $2) l GROUP BY command_id`,
      [point, MOST_MISSED],
    );
    const clients = await this.database.query<{ id: string; revision: number }[]>(
      'SELECT id, changed_xid::text::float8 AS revision FROM clients WHERE changed_xid >= $1::text::xid8 LIMIT $2', [point, MOST_MISSED],
    );
    const exports = await this.exports.changedSince(point, MOST_MISSED);
    if (commands.length + clients.length + exports.length >= MOST_MISSED) return null;
    const changes = (rows: { id: string; revision: number }[]): Map<string, number> => new Map(rows.map(({ id, revision }) => [id, revision]));
    return { commands: changes(commands), clients: changes(clients), exports: changes(exports) };
  }
}

function resync(watchers: Watcher[]): void {
  for (const { stream } of watchers) stream.send('resync', {});
}

/** Groups those who see the same: everything, or what one person's grants show; everybody's exports are their own. Whose session or token may not read it is in no group. */
function alike(watchers: Watcher[], topic: NewsTopic): Watcher[][] {
  const groups = new Map<string, Watcher[]>();
  for (const watcher of watchers) {
    const { id, permissions, everywhere } = watcher.person;
    const permission = PERMISSION[topic];
    if (!permissions.includes(permission)) continue;
    const key = topic !== 'exports' && everywhere.includes(permission) ? 'everywhere' : id;
    groups.set(key, [...(groups.get(key) ?? []), watcher]);
  }
  return [...groups.values()];
}
