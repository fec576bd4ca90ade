import { computed, DOCUMENT, effect, inject, Injectable, InjectionToken, signal, untracked } from '@angular/core';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { filter, map, type Observable, Subject } from 'rxjs';
import type { News } from '../http/wire';
import { Session } from '../session/session';
import { backoff } from './backoff';

const ADDRESS = '/api/events?topics=commands,clients,exports';
/** The server writes at least every 15 s; a line silent for longer is dead, whatever the browser believes. */
const SILENCE_MS = 35_000;
/** A line gone for longer than a hiccup: what is shown may be old, and the console says since when. */
const STALE_MS = 10_000;
/** A connection that lived this long was a good one: the next failure is the first again. */
const STEADY_MS = 5_000;

/** `since`: when the server was last heard, in milliseconds since 1970. */
export type Connection =
  { state: 'off' | 'connecting' | 'live' | 'unavailable' } | { state: 'reconnecting' | 'stale'; since: number };

type Outcome = 'ended' | 'failed' | 'unauthorized' | 'refused';
type Message = { [K in keyof News]: { type: K; data: News[K] } }[keyof News];

export const FETCH = new InjectionToken<typeof fetch>('fetch', {
  factory: () => (input, init) => globalThis.fetch(input, init),
});

/**
 * The console's one event stream, open while somebody is logged in. Resumes where it was cut (`Last-Event-ID`), and never
 * claims to be live when it is not. Does not poll: on a server without this stream the state is `unavailable`.
 */
@Injectable({ providedIn: 'root' })
export class EventStream {
  private readonly session = inject(Session);
  private readonly fetch = inject(FETCH);
  private readonly window = inject(DOCUMENT).defaultView;
  private readonly messages = new Subject<Message>();
  private readonly openings = new Subject<void>();
  private readonly status = signal<Connection>({ state: 'off' });
  private lastEventId = '';
  private heardAt = 0;
  private line?: AbortController;
  private staleTimer?: ReturnType<typeof setTimeout>;
  private wake?: () => void;

  readonly connection = this.status.asReadonly();
  /** Each time the stream opens: whoever shows something loads it again, for what happened while there was no stream. */
  readonly opened = this.openings.asObservable();

  constructor() {
    const userId = computed(() => this.session.user()?.id ?? null);
    effect(() => {
      const signedIn = userId() !== null;
      untracked(() => (signedIn ? this.start() : this.stop()));
    });
    this.window?.addEventListener('online', () => this.wake?.());
  }

  news<K extends keyof News>(type: K): Observable<News[K]> {
    return this.messages.pipe(
      filter((message): message is Extract<Message, { type: K }> => message.type === type),
      map((message) => message.data as News[K]),
    );
  }

  /** Tries at once, also where the server had no stream before. */
  reconnect(): void {
    if (this.status().state === 'unavailable') this.start();
    else this.wake?.();
  }

  private start(): void {
    this.stop();
    this.line = new AbortController();
    this.status.set({ state: 'connecting' });
    void this.run(this.line.signal);
  }

  private stop(): void {
    this.line?.abort();
    this.lastEventId = '';
    clearTimeout(this.staleTimer);
    this.status.set({ state: 'off' });
  }

  private async run(stopped: AbortSignal): Promise<void> {
    for (let failures = 0; !stopped.aborted;) {
      const begun = Date.now();
      const outcome = await this.connect(stopped);
      if (stopped.aborted) return;
      if (outcome === 'refused' && !this.lastEventId) return this.status.set({ state: 'unavailable' });
      // A cursor that the server no longer takes: from now on, then.
      if (outcome === 'refused') this.lastEventId = '';
      this.sayReconnecting();
      failures = outcome === 'ended' && Date.now() - begun > STEADY_MS ? 1 : failures + 1;
      const renewed = outcome === 'unauthorized' && (await this.renew());
      if (!renewed || failures > 1) await this.pause(backoff(failures), stopped);
    }
  }

  /** One connection, from the request to its end. */
  private async connect(stopped: AbortSignal): Promise<Outcome> {
    const line = new AbortController();
    const hangUp = (): void => line.abort();
    stopped.addEventListener('abort', hangUp);
    let silence = setTimeout(hangUp, SILENCE_MS);
    let opened = false;
    try {
      const response = await this.fetch(ADDRESS, { headers: this.headers(), signal: line.signal, cache: 'no-store' });
      if (response.status === 401) return 'unauthorized';
      if ([400, 403, 404, 405, 406, 410, 501].includes(response.status)) return 'refused';
      if (!response.ok || !response.body) return 'failed';
      const parser = createParser({ onEvent: (event) => this.receive(event) });
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      opened = true;
      this.sayLive();
      for (;;) {
        const { done, value } = await reader.read();
        if (done || stopped.aborted) return 'ended';
        clearTimeout(silence);
        silence = setTimeout(hangUp, SILENCE_MS);
        this.heardAt = Date.now();
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } catch {
      return opened ? 'ended' : 'failed';
    } finally {
      clearTimeout(silence);
      stopped.removeEventListener('abort', hangUp);
      line.abort();
    }
  }

  private headers(): Record<string, string> {
    return {
      Accept: 'text/event-stream',
      Authorization: `Bearer ${this.session.token ?? ''}`,
      ...(this.lastEventId && { 'Last-Event-ID': this.lastEventId }),
    };
  }

  private receive({ event, data, id }: EventSourceMessage): void {
    // Noted first: an event that cannot be read is not asked for again, and the next opening makes up for it.
    if (id !== undefined) this.lastEventId = id;
    if (event === 'command' || event === 'client' || event === 'export') {
      this.messages.next({ type: event, data: JSON.parse(data) as unknown } as Message);
    } else if (event === 'resync') {
      // Too much was missed to be told one by one: everything shown is loaded again.
      this.openings.next();
    } else if (event === 'bye') {
      const { reason } = JSON.parse(data) as { reason: string };
      // What may be offered is asked for anew. A session that ended is found out by the next connection.
      if (reason === 'rights_changed') void this.renew();
    }
  }

  private sayLive(): void {
    clearTimeout(this.staleTimer);
    this.heardAt = Date.now();
    this.status.set({ state: 'live' });
    this.openings.next();
  }

  private sayReconnecting(): void {
    if (this.status().state !== 'live') return;
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

  private pause(milliseconds: number, stopped: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stopped.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      stopped.addEventListener('abort', done);
      this.wake = done;
    });
  }
}
