import { InjectionToken } from '@angular/core';
import { SILENCE_MS, type Word } from './event-line';

/** Tabs lose their patience with a leader that is silent at different moments, so that one of them takes over. */
const SPREAD_MS = 5_000;

/** What of the browser lets its tabs agree. */
export interface TabTools {
  locks: Pick<LockManager, 'request'>;
  channel(name: string): Pick<BroadcastChannel, 'postMessage' | 'onmessage' | 'close'>;
}

/** Null where the browser has no such tools, on a page that came over plain HTTP say: every tab is then on its own. */
export const TAB_TOOLS = new InjectionToken<TabTools | null>('tab tools', {
  factory: () => {
    const { navigator, BroadcastChannel } = globalThis as Partial<typeof globalThis>;
    if (!navigator?.locks || !BroadcastChannel) return null;
    return { locks: navigator.locks, channel: (name) => new BroadcastChannel(name) };
  },
});

/** One tab. `hear` gets what the leader says; the others are told to it by the ring. */
export interface Member {
  lead(): void;
  follow(): void;
  wake(): void;
  hear(word: Word): void;
  /** How things stand, for a tab that has just come. */
  greeting(): Word;
}

type Call = Word | { kind: 'hello' } | { kind: 'wake' };

/**
 * The tabs of one browser in which the same person is logged in. Exactly one leads, the one that has the lock; when it closes, the
 * next has the lock at once. One that has fallen asleep is silent for too long, and loses the lock.
 */
export class TabRing {
  private readonly leaving = new AbortController();
  private readonly channel?: ReturnType<TabTools['channel']>;
  private queue = new AbortController();
  private patience?: ReturnType<typeof setTimeout>;
  private leads = false;

  constructor(
    private readonly tools: TabTools | null,
    private readonly name: string,
    private readonly member: Member,
  ) {
    if (!tools) {
      void this.lead();
      return;
    }
    this.channel = tools.channel(name);
    this.channel.onmessage = ({ data }: MessageEvent<Call>) => this.answer(data);
    this.call({ kind: 'hello' });
    this.standInLine();
  }

  /** To the other tabs; for the leader only. */
  say(word: Word): void {
    this.call(word);
  }

  /** Has the leader, whichever tab that is, try at once. */
  wake(): void {
    if (this.leads) this.member.wake();
    else this.call({ kind: 'wake' });
  }

  leave(): void {
    this.leaving.abort();
    this.queue.abort();
    clearTimeout(this.patience);
    this.channel?.close();
  }

  private call(call: Call): void {
    this.channel?.postMessage(call);
  }

  private answer(call: Call): void {
    if (call.kind === 'hello') {
      if (this.leads) this.say(this.member.greeting());
    } else if (call.kind === 'wake') {
      if (this.leads) this.member.wake();
    } else if (!this.leads) {
      this.expectWord();
      // Where there is no stream, a leader has nothing more to say.
      if (call.kind === 'state' && call.state === 'unavailable') clearTimeout(this.patience);
      this.member.hear(call);
    }
  }

  private standInLine(): void {
    this.queue = new AbortController();
    void this.hold({ signal: this.queue.signal });
    this.expectWord();
  }

  private expectWord(): void {
    clearTimeout(this.patience);
    this.patience = setTimeout(
      () => {
        this.queue.abort();
        void this.hold({ steal: true });
      },
      SILENCE_MS + Math.random() * SPREAD_MS,
    );
  }

  /** Returns when the lock is given back, or taken by a tab that has lost its patience. */
  private async hold(options: LockOptions): Promise<void> {
    let held = false;
    const lead = (): Promise<void> => {
      held = true;
      return this.lead();
    };
    await this.tools?.locks.request(this.name, options, lead).catch(() => undefined);
    // What was only waited for may have been given up for the lock itself.
    if (!held || this.leaving.signal.aborted) return;
    this.leads = false;
    this.member.follow();
    this.standInLine();
  }

  /** The lock is held until the promise resolves. */
  private lead(): Promise<void> {
    const left = this.leaving.signal;
    if (left.aborted) return Promise.resolve();
    clearTimeout(this.patience);
    this.leads = true;
    this.member.lead();
    return new Promise((resolve) => left.addEventListener('abort', () => resolve()));
  }
}
