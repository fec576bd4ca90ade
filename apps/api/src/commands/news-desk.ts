import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { Person } from '../core/access/access';
import { type Change, NEWS_TOPICS, type NewsSource, NewsSources, type NewsTopic } from '../core/events/news-sources';
import { type EventStream, eventText } from '../core/http/sse';

interface Watcher {
  person: Person;
  topics: ReadonlySet<NewsTopic>;
  stream: NewsStream;
}

/** What it needs of a stream. */
export type NewsStream = Pick<EventStream, 'send' | 'write' | 'onClose'>;

/** Ids that changed, with the revision if it is known, by topic. */
type Changes = Record<NewsTopic, Map<string, number>>;
const nothing = (): Changes => ({ commands: new Map(), clients: new Map(), exports: new Map(), alerts: new Map(), deliveries: new Map() });
const countOf = (changes: Changes): number => NEWS_TOPICS.reduce((count, topic) => count + changes[topic].size, 0);

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
    private readonly sources: NewsSources,
  ) {}

  onApplicationBootstrap(): void {
    for (const topic of NEWS_TOPICS) this.sources.of(topic).listen((ids) => this.note(topic, ids));
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
      const source = this.sources.of(topic);
      const rows: Change[] = [];
      for (const group of alike(readers, source)) {
        const [first] = group;
        const seen = first ? await source.read(ids, first.person) : [];
        // Once for all who read the same, however many they are.
        const text = seen.map((row) => eventText(source.event, row)).join('');
        if (text) for (const { stream } of group) stream.write(text);
        rows.push(...seen);
      }
      // Only now: had one query failed, the catch-up would have to tell all of it again.
      for (const row of rows) told?.[topic].set(row.id, row.revision);
    }
  }

  private async horizon(): Promise<string> {
    const [row] = await this.database.query<{ xmin: string }[]>('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin');
    return row?.xmin ?? '0';
  }

  /** What changed from this point on, or null when it is too much to tell. */
  private async since(point: string): Promise<Changes | null> {
    const changes = nothing();
    for (const topic of NEWS_TOPICS) {
      const changed = await this.sources.of(topic).changedSince(point, MOST_MISSED);
      changes[topic] = new Map(changed.map(({ id, revision }) => [id, revision]));
    }
    return countOf(changes) >= MOST_MISSED ? null : changes;
  }
}

function resync(watchers: Watcher[]): void {
  for (const { stream } of watchers) stream.send('resync', {});
}

/** Groups those who see the same: everything, or what one person may see. Whose session or token may not read it is in no group. */
function alike(watchers: Watcher[], { permission, isShared }: NewsSource): Watcher[][] {
  const groups = new Map<string, Watcher[]>();
  for (const watcher of watchers) {
    const { id, permissions, everywhere } = watcher.person;
    if (!permissions.includes(permission)) continue;
    const key = isShared && everywhere.includes(permission) ? 'everywhere' : id;
    groups.set(key, [...(groups.get(key) ?? []), watcher]);
  }
  return [...groups.values()];
}
