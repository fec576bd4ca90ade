import { createParser } from 'eventsource-parser';
import { backoff } from './backoff';

/** The server writes at least every 15 s; a line silent for longer is dead, whatever the browser believes. */
export const SILENCE_MS = 35_000;
/** A connection that lived this long was a good one: the next failure is the first again. */
const STEADY_MS = 5_000;
/** Statuses by which a server says that it has no such stream, or takes no such cursor. */
const REFUSALS = [400, 403, 404, 405, 406, 410, 501];

/** `over`: the server has told everything that there will ever be. */
export type LineState = 'connecting' | 'live' | 'reconnecting' | 'unavailable' | 'over';
/** What a line says: how it stands, that the server was heard, or an event as it came. */
export type Word =
  | { kind: 'state'; state: LineState; lastEventId?: string }
  | { kind: 'heard' }
  | { kind: 'event'; event: string; data: string; id?: string };

/** What a line needs to know and to have done. */
export interface LineOwner {
  address: string;
  fetch: typeof fetch;
  token(): string | null;
  /** Whether there is a new token. */
  renew(): Promise<boolean>;
  /** The cursor to resume from; empty for none. */
  lastEventId(): string;
  forget(): void;
  say(word: Word): void;
}

type Outcome = 'ended' | 'failed' | 'unauthorized' | 'refused' | 'over';

/**
 * The connection to the server's event stream, opened again whenever it is cut, until it is closed. Resumes by the cursor
 * (`Last-Event-ID`), and never says to be live when it is not. Does not poll: where there is no such stream it says so and ends.
 */
export class EventLine {
  private readonly closing = new AbortController();
  private wakeUp?: () => void;

  constructor(private readonly owner: LineOwner) {
    void this.run();
  }

  close(): void {
    this.closing.abort();
  }

  /** Does not wait any longer for the next attempt. */
  wake(): void {
    this.wakeUp?.();
  }

  private async run(): Promise<void> {
    const closed = this.closing.signal;
    for (let failures = 0; !closed.aborted;) {
      const begun = Date.now();
      const outcome = await this.connect();
      if (closed.aborted) return;
      if (outcome === 'over') return this.owner.say({ kind: 'state', state: 'over' });
      if (outcome === 'refused' && !this.owner.lastEventId())
        return this.owner.say({ kind: 'state', state: 'unavailable' });
      // A cursor that the server no longer takes: from now on, then.
      if (outcome === 'refused') this.owner.forget();
      this.owner.say({ kind: 'state', state: 'reconnecting' });
      failures = outcome === 'ended' && Date.now() - begun > STEADY_MS ? 1 : failures + 1;
      const renewed = outcome === 'unauthorized' && (await this.owner.renew());
      if (!renewed || failures > 1) await this.pause(backoff(failures));
    }
  }

  /** One connection, from the request to its end. */
  private async connect(): Promise<Outcome> {
    const { owner } = this;
    const line = new AbortController();
    const hangUp = (): void => line.abort();
    const closed = this.closing.signal;
    closed.addEventListener('abort', hangUp);
    let silence = setTimeout(hangUp, SILENCE_MS);
    let opened = false;
    try {
      const response = await owner.fetch(owner.address, {
        headers: this.headers(),
        signal: line.signal,
        cache: 'no-store',
      });
      if (response.status === 401) return 'unauthorized';
      if (REFUSALS.includes(response.status)) return 'refused';
      if (response.status === 204) return 'over';
      if (!response.ok || !response.body) return 'failed';
      const parser = createParser({
        onEvent: ({ event = 'message', data, id }) =>
          owner.say({ kind: 'event', event, data, ...(id !== undefined && { id }) }),
      });
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      opened = true;
      owner.say({ kind: 'state', state: 'live' });
      for (;;) {
        const { done, value } = await reader.read();
        if (done || closed.aborted) return 'ended';
        clearTimeout(silence);
        silence = setTimeout(hangUp, SILENCE_MS);
        owner.say({ kind: 'heard' });
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } catch {
      return opened ? 'ended' : 'failed';
    } finally {
      clearTimeout(silence);
      closed.removeEventListener('abort', hangUp);
      line.abort();
    }
  }

  private headers(): Record<string, string> {
    const lastEventId = this.owner.lastEventId();
    return {
      Accept: 'text/event-stream',
      Authorization: `Bearer ${this.owner.token() ?? ''}`,
      ...(lastEventId && { 'Last-Event-ID': lastEventId }),
    };
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.closing.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      this.closing.signal.addEventListener('abort', done);
      this.wakeUp = done;
    });
  }
}
