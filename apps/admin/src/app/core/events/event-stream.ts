import { computed, DOCUMENT, effect, inject, Injectable, InjectionToken, signal, untracked } from '@angular/core';
import { filter, map, type Observable, Subject } from 'rxjs';
import type { News } from '../http/wire';
import { Session } from '../session/session';
import { EventLine, type LineState, type Word } from './event-line';
import { TAB_TOOLS, TabRing } from './tab-ring';

/** A line gone for longer than a hiccup: what is shown may be old, and the console says since when. */
const STALE_MS = 10_000;
/** Events that are about the stream itself. */
const OWN_EVENTS = ['hello', 'point'];

/** `since`: when the server was last heard, in milliseconds since 1970. */
export type Connection =
  { state: 'off' | 'connecting' | 'live' | 'unavailable' } | { state: 'reconnecting' | 'stale'; since: number };

type Message = { [K in keyof News]: { type: K; data: News[K] } }[keyof News];

export const FETCH = new InjectionToken<typeof fetch>('fetch', {
  factory: () => (input, init) => globalThis.fetch(input, init),
});

/**
 * The console's one event stream, for all its tabs, there while somebody is logged in. One tab holds the line to the server and tells
 * the others what it says, so each of them knows where to resume, and whether what it shows is live.
 */
@Injectable({ providedIn: 'root' })
export class EventStream {
  private readonly session = inject(Session);
  private readonly fetch = inject(FETCH);
  private readonly tools = inject(TAB_TOOLS);
  private readonly messages = new Subject<Message>();
  private readonly openings = new Subject<void>();
  private readonly status = signal<Connection>({ state: 'off' });
  private ring?: TabRing;
  private line?: EventLine;
  private lastEventId = '';
  private heardAt = 0;
  private staleTimer?: ReturnType<typeof setTimeout>;

  readonly connection = this.status.asReadonly();
  /** Each time the stream opens: whoever shows something loads it again, for what happened while there was no stream. */
  readonly opened = this.openings.asObservable();

  constructor() {
    const userId = computed(() => this.session.user()?.id ?? null);
    effect(() => {
      const id = userId();
      untracked(() => {
        this.leave();
        if (id !== null) this.join(id);
      });
    });
    inject(DOCUMENT).defaultView?.addEventListener('online', () => this.line?.wake());
  }

  news<K extends keyof News>(type: K): Observable<News[K]> {
    return this.messages.pipe(
      filter((message): message is Extract<Message, { type: K }> => message.type === type),
      map((message) => message.data as News[K]),
    );
  }

  /** Tries at once, also where the server had no stream before. */
  reconnect(): void {
    this.ring?.wake();
  }

  private join(userId: string): void {
    this.status.set({ state: 'connecting' });
    // Not by one name for all: two people may be logged in, one after the other.
    this.ring = new TabRing(this.tools, `gwanje.events.${userId}`, {
      lead: () => this.open(),
      follow: () => this.close(),
      wake: () => (this.status().state === 'unavailable' ? this.open() : this.line?.wake()),
      hear: (word) => this.take(word),
      greeting: () => this.greeting(),
    });
  }

  private leave(): void {
    this.ring?.leave();
    this.ring = undefined;
    this.close();
    this.lastEventId = '';
    clearTimeout(this.staleTimer);
    this.status.set({ state: 'off' });
  }

  private open(): void {
    this.close();
    this.stand(this.status().state === 'live' ? 'reconnecting' : 'connecting');
    this.ring?.say(this.greeting());
    this.line = new EventLine({
      address: '/api/events',
      fetch: this.fetch,
      token: () => this.session.token,
      renew: () => this.renew(),
      lastEventId: () => this.lastEventId,
      forget: () => (this.lastEventId = ''),
      say: (word) => {
        this.take(word);
        this.ring?.say(word);
      },
    });
  }

  private close(): void {
    this.line?.close();
    this.line = undefined;
  }

  private greeting(): Word {
    const { state } = this.status();
    const known = state === 'stale' ? 'reconnecting' : state === 'off' ? 'connecting' : state;
    return { kind: 'state', state: known, lastEventId: this.lastEventId };
  }

  private take(word: Word): void {
    if (word.kind === 'state') {
      this.lastEventId = word.lastEventId || this.lastEventId;
      this.stand(word.state);
      return;
    }
    this.heardAt = Date.now();
    if (word.kind === 'event') this.receive(word);
  }

  private receive({ event, data, id }: Extract<Word, { kind: 'event' }>): void {
    // Noted first: an event that cannot be read is not asked for again, and the next opening makes up for it.
    if (id !== undefined) this.lastEventId = id;
    if (event === 'resync') {
      // Too much was missed to be told one by one: everything shown is loaded again.
      this.openings.next();
    } else if (event === 'bye') {
      const { reason } = JSON.parse(data) as { reason: string };
      // What may be offered is asked for anew. A session that ended is found out by the next connection.
      if (reason === 'rights_changed') void this.renew();
    } else if (!OWN_EVENTS.includes(event)) {
      this.messages.next({ type: event, data: JSON.parse(data) as unknown } as Message);
    }
  }

  private stand(state: LineState): void {
    const before = this.status().state;
    if (state === 'reconnecting') {
      if (before === 'live') this.sayReconnecting();
      return;
    }
    // The news never end.
    if (state === 'over') return;
    if (state === 'connecting' && (before === 'reconnecting' || before === 'stale')) return;
    clearTimeout(this.staleTimer);
    if (state === 'live') this.heardAt = Date.now();
    this.status.set({ state });
    if (state === 'live' && before !== 'live') this.openings.next();
  }

  private sayReconnecting(): void {
    const since = this.heardAt;
    this.status.set({ state: 'reconnecting', since });
    this.staleTimer = setTimeout(() => this.status.set({ state: 'stale', since }), STALE_MS);
  }

  private async renew(): Promise<boolean> {
    return this.session.refresh().then(
      () => true,
      () => false,
    );
  }
}
