import { DestroyRef, inject, Injectable, signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Command, News, Page } from '../../core/http/wire';
import { ClientNames } from './client-names';
import { type CommandFilters, CommandsApi } from './commands-api';

const PAGE = 50;
const MOST_AT_ONCE = 200;
/** News are gathered for this long; more commands than this at once are read as one list instead of one by one. */
const GATHER_MS = 150;
const ONE_BY_ONE = 8;

/**
 * The commands on the screen, newest first. News only say which commands to read again: what is shown is always the
 * server's own word. Readings follow one another, so an older answer never overwrites a newer one.
 */
@Injectable()
export class CommandList {
  private readonly api = inject(CommandsApi);
  private readonly names = inject(ClientNames);
  private filters: CommandFilters = {};
  /** Rises with the filters: answers to an earlier question are dropped. */
  private question = 0;
  private readings: Promise<void> = Promise.resolve();
  private readonly touched = new Set<string>();
  private gathering?: ReturnType<typeof setTimeout>;

  readonly rows = signal<readonly Command[]>([]);
  readonly nextCursor = signal<string | null>(null);
  /** `first`: there is nothing to show yet. */
  readonly loading = signal<'first' | 'more' | null>(null);
  readonly problem = signal<Problem | null>(null);

  constructor() {
    const events = inject(EventStream);
    events.opened.pipe(takeUntilDestroyed()).subscribe(() => void this.refresh());
    events
      .news('command')
      .pipe(takeUntilDestroyed())
      .subscribe((news) => this.touch(news));
    inject(DestroyRef).onDestroy(() => {
      this.question++;
      clearTimeout(this.gathering);
    });
  }

  /** Asks anew, with other filters. */
  load(filters: CommandFilters): Promise<void> {
    this.filters = filters;
    this.question++;
    this.readings = Promise.resolve();
    this.touched.clear();
    this.rows.set([]);
    this.nextCursor.set(null);
    this.loading.set('first');
    return this.read(() => this.readPage());
  }

  more(): Promise<void> {
    if (this.loading() !== null) return Promise.resolve();
    this.loading.set('more');
    return this.read(() => this.readPage(this.nextCursor() ?? undefined));
  }

  /** Reads again as many as are shown, page by page, so that no row stays as it was; what sank below them comes with "load more". */
  refresh(): Promise<void> {
    return this.read(async () => {
      const wanted = Math.max(PAGE, this.rows().length);
      const items: Command[] = [];
      let cursor: string | null = null;
      do {
        const limit = Math.min(MOST_AT_ONCE, wanted - items.length);
        const page: Page<Command> = await this.api.list(this.filters, limit, cursor ?? undefined);
        items.push(...page.items);
        cursor = page.nextCursor;
      } while (cursor !== null && items.length < wanted);
      return () => {
        this.rows.set(items);
        this.nextCursor.set(cursor);
      };
    });
  }

  /** `ask` answers what to do with the answer, which is not done when the question is no longer the same. */
  private read(ask: () => Promise<() => void>): Promise<void> {
    const { question } = this;
    this.readings = this.readings.then(async () => {
      if (question !== this.question) return;
      try {
        const take = await ask();
        if (question !== this.question) return;
        take();
        this.problem.set(null);
      } catch (error) {
        if (question !== this.question) return;
        this.problem.set(toProblem(error));
      }
      this.loading.set(null);
      void this.names.meet(this.rows().map(({ clientId }) => clientId));
    });
    return this.readings;
  }

  private async readPage(cursor?: string): Promise<() => void> {
    const { items, nextCursor } = await this.api.list(this.filters, PAGE, cursor);
    return () => {
      this.rows.update((rows) => [...rows, ...items.filter(({ id }) => !rows.some((row) => row.id === id))]);
      this.nextCursor.set(nextCursor);
    };
  }

  private touch(news: News['command']): void {
    const shown = this.rows().some(({ id }) => id === news.id);
    if (!shown && (this.isBelow(news.id) || !this.matches(news))) return;
    this.touched.add(news.id);
    this.gathering ??= setTimeout(() => {
      this.gathering = undefined;
      void this.readTouched();
    }, GATHER_MS);
  }

  private readTouched(): Promise<void> {
    if (this.touched.size > ONE_BY_ONE) {
      this.touched.clear();
      return this.refresh();
    }
    return this.read(async () => {
      const ids = [...this.touched];
      this.touched.clear();
      const commands = await Promise.all(ids.map((id) => this.api.get(id)));
      await this.names.meet(commands.map(({ clientId }) => clientId));
      return () => {
        const others = this.rows().filter(({ id }) => !ids.includes(id));
        const matching = commands.filter((command) => this.matches(command));
        this.rows.set([...others, ...matching].sort((a, b) => (a.id < b.id ? 1 : -1)));
      };
    });
  }

  private matches({
    status,
    clientId,
    action,
    batchId,
  }: Pick<Command, 'status' | 'clientId' | 'action' | 'batchId'>): boolean {
    const { filters } = this;
    return (
      (!filters.status || filters.status === status) &&
      (!filters.action || filters.action === action) &&
      (!filters.batchId || filters.batchId === batchId) &&
      (!filters.clientId || filters.clientId === clientId || filters.clientId === this.names.of(clientId))
    );
  }

  /** Older than what is shown: it comes with "load more". */
  private isBelow(id: string): boolean {
    const last = this.rows().at(-1);
    return last !== undefined && this.nextCursor() !== null && id < last.id;
  }
}
