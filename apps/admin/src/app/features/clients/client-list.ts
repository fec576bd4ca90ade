import { computed, DestroyRef, inject, Injectable, signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Client, News } from '../../core/http/wire';
import { ClientsApi } from './clients-api';

export interface ClientFilters {
  status?: Client['status'];
  group?: string;
  /** `site` or `site=seoul`. */
  label?: string;
  update?: 'rolled_back';
  /** Part of the name. */
  q?: string;
}

/** New clients that come at once are asked for one by one up to this many, else all are read again. */
const ONE_BY_ONE = 8;
/** A stream that is about to open has everything read again: it is waited for this long. */
const OPENING_MS = 1_000;
/** Between two readings of everything. */
const REST_MS = 2_000;
const collator = new Intl.Collator(undefined, { numeric: true });
const byName = (a: Client, b: Client): number => collator.compare(a.name, b.name);

/**
 * All clients that the person may see, by name. Read page by page at every opening of the stream; from then on the news are enough.
 * However many news come, the screen changes at most once in a frame.
 */
@Injectable()
export class ClientList {
  private readonly api = inject(ClientsApi);
  private readonly all = signal<readonly Client[]>([]);
  /** Where each is among all. */
  private places = new Map<string, number>();
  private readonly arrived = new Map<string, News['client']>();
  /** News since a reading began: its pages may be older. */
  private meanwhile?: Map<string, News['client']>;
  private frame = 0;
  private isAskedAgain = false;
  private timer?: ReturnType<typeof setTimeout>;
  private isGone = false;

  readonly filters = signal<ClientFilters>({});
  readonly loading = signal(false);
  /** Whether all have been read once. */
  readonly isComplete = signal(false);
  readonly problem = signal<Problem | null>(null);
  readonly total = computed(() => this.all().length);
  readonly online = computed(() => this.all().filter(({ status }) => status === 'online').length);
  readonly groups = signal<readonly string[]>([]);
  readonly rows = computed(() => {
    const matches = matcher(this.filters());
    return matches ? this.all().filter(matches) : this.all();
  });

  constructor() {
    const events = inject(EventStream);
    events.opened.pipe(takeUntilDestroyed()).subscribe(() => void this.load());
    if (events.connection().state === 'connecting') this.timer = setTimeout(() => void this.load(), OPENING_MS);
    else void this.load();
    events
      .news('client')
      .pipe(takeUntilDestroyed())
      .subscribe((news) => this.note(news));
    inject(DestroyRef).onDestroy(() => {
      this.isGone = true;
      cancelAnimationFrame(this.frame);
      clearTimeout(this.timer);
    });
  }

  /** Reads all of them; once more when it is asked for again meanwhile. */
  async load(): Promise<void> {
    this.isAskedAgain = this.loading();
    if (this.isAskedAgain) return;
    clearTimeout(this.timer);
    this.loading.set(true);
    this.meanwhile = new Map();
    try {
      await this.read();
      this.isComplete.set(true);
      this.problem.set(null);
    } catch (error) {
      this.problem.set(toProblem(error));
    }
    const news = [...this.meanwhile.values()];
    this.meanwhile = undefined;
    this.loading.set(false);
    if (this.isGone) return;
    news.forEach((one) => this.note(one));
    if (this.isAskedAgain) this.timer = setTimeout(() => void this.load(), REST_MS);
  }

  private async read(): Promise<void> {
    const isFirst = this.all().length === 0;
    const clients: Client[] = [];
    for (let cursor: string | null = null; ;) {
      const page = await this.api.page(cursor);
      if (this.isGone) return;
      clients.push(...page.items);
      cursor = page.nextCursor;
      if (isFirst || cursor === null) this.arrange([...clients]);
      if (cursor === null) return;
    }
  }

  private note(news: News['client']): void {
    this.meanwhile?.set(news.id, news);
    this.arrived.set(news.id, news);
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.apply();
    });
  }

  private apply(): void {
    const clients = [...this.all()];
    const strangers: string[] = [];
    const gone = new Set<string>();
    let isOrdered = true;
    for (const { deletedAt, ...news } of this.arrived.values()) {
      const place = this.places.get(news.id);
      const known = place === undefined ? undefined : clients[place];
      if (deletedAt) gone.add(news.id);
      else if (place === undefined || !known) strangers.push(news.id);
      else {
        clients[place] = { ...known, ...news };
        isOrdered &&= known.name === news.name && known.groups.join() === news.groups.join();
      }
    }
    this.arrived.clear();
    if (isOrdered && gone.size === 0) this.all.set(clients);
    else this.arrange(clients.filter(({ id }) => !gone.has(id)));
    // During a reading they come with one of its pages.
    if (!this.meanwhile && strangers.length > 0) void this.meet(strangers);
  }

  private async meet(ids: string[]): Promise<void> {
    if (ids.length > ONE_BY_ONE) return this.load();
    const met = await Promise.all(ids.map((id) => this.api.get(id).catch(() => null)));
    const others = this.all().filter(({ id }) => !ids.includes(id));
    this.arrange([...others, ...met.filter((client) => client !== null)]);
  }

  private arrange(clients: Client[]): void {
    clients.sort(byName);
    this.places = new Map(clients.map(({ id }, place) => [id, place]));
    this.all.set(clients);
    this.groups.set([...new Set(clients.flatMap(({ groups }) => groups))].sort(collator.compare));
  }
}

function matcher({ status, group, label, update, q }: ClientFilters): ((client: Client) => boolean) | null {
  if (!status && !group && !label && !update && !q) return null;
  const [key = '', ...values] = (label ?? '').split('=');
  const value = values.length > 0 ? values.join('=') : null;
  const part = q?.toLowerCase();
  return (client) =>
    (!status || client.status === status) &&
    (!group || client.groups.includes(group)) &&
    (!label || (value === null ? key in client.labels : client.labels[key] === value)) &&
    (!update || client.agent?.rolledBack !== undefined) &&
    (!part || client.name.toLowerCase().includes(part));
}
