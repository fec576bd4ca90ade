import { createEnvironmentInjector, EnvironmentInjector, signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import type { News, User } from '../http/wire';
import { Session } from '../session/session';
import { EventStream, FETCH } from './event-stream';
import { Line, settle } from './fake-line';
import { TAB_TOOLS, type TabTools } from './tab-ring';

interface Claim {
  tab: Tab;
  callback: () => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
}

/** What a browser does for its tabs: one lock, in the order of asking, and a channel to the others. */
class Browser {
  readonly tabs: Tab[] = [];
  private held?: Claim;
  private queue: Claim[] = [];

  get leader(): Tab | undefined {
    return this.held?.tab;
  }

  request(tab: Tab, options: LockOptions, callback: () => Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const claim = { tab, callback, resolve, reject };
      if (options.steal) {
        this.held?.reject(new Error('stolen'));
        this.grant(claim);
        return;
      }
      this.queue.push(claim);
      options.signal?.addEventListener('abort', () => {
        if (this.held !== claim) reject(new Error('aborted'));
        this.queue = this.queue.filter((other) => other !== claim);
      });
      queueMicrotask(() => this.next());
    });
  }

  /** As when the person closes the tab: nothing of it runs any more. */
  close(tab: Tab): void {
    tab.isOpen = false;
    this.queue = this.queue.filter((claim) => claim.tab !== tab);
    if (this.held?.tab !== tab) return;
    this.held = undefined;
    this.next();
  }

  send(from: Tab, data: unknown): void {
    for (const to of this.tabs) {
      if (to === from || !to.isOpen || to.isAsleep || !from.isOpen || from.isAsleep) continue;
      const event = { data: JSON.parse(JSON.stringify(data)) as unknown } as MessageEvent;
      queueMicrotask(() => void to.channel?.onmessage?.call(null as never, event));
    }
  }

  private next(): void {
    const [first] = this.queue;
    if (this.held || !first) return;
    this.queue.shift();
    this.grant(first);
  }

  private grant(claim: Claim): void {
    this.held = claim;
    void claim.callback().then(() => {
      claim.resolve(undefined);
      if (this.held !== claim) return;
      this.held = undefined;
      this.next();
    });
  }
}

class Tab {
  isOpen = true;
  /** It runs, and nobody hears it, nor does it hear anybody. */
  isAsleep = false;
  channel?: ReturnType<TabTools['channel']>;
  readonly lines: Line[] = [];
  readonly user = signal<User | null>({ id: 'u1' } as User);
  readonly refresh = jest.fn().mockResolvedValue('t2');
  readonly seen: string[] = [];
  openings = 0;
  readonly stream: EventStream;

  constructor(browser: Browser) {
    browser.tabs.push(this);
    const tools: TabTools = {
      locks: {
        request: (_name: string, options: LockOptions, callback: () => Promise<unknown>) =>
          browser.request(this, options, callback),
      } as never,
      channel: () =>
        (this.channel = { onmessage: null, postMessage: (data) => browser.send(this, data), close: () => undefined }),
    };
    const fetch = (_url: string, init: RequestInit): Promise<unknown> => {
      const line = new Line(init);
      this.lines.push(line);
      return line.response;
    };
    const injector = createEnvironmentInjector(
      [
        EventStream,
        { provide: Session, useValue: { user: this.user, token: 't1', refresh: this.refresh } },
        { provide: FETCH, useValue: fetch },
        { provide: TAB_TOOLS, useValue: tools },
      ],
      TestBed.inject(EnvironmentInjector),
    );
    this.stream = injector.get(EventStream);
    this.stream.news('command').subscribe(({ id }: News['command']) => this.seen.push(id));
    this.stream.opened.subscribe(() => this.openings++);
  }

  get line(): Line {
    return this.lines.at(-1) as Line;
  }

  get state(): string {
    return this.stream.connection().state;
  }
}

const command = (id: string): string => `id: ${id}\nevent: command\ndata: {"id":"${id}"}\n\n`;

describe('the event stream of several tabs', () => {
  let browser: Browser;
  let first: Tab;
  let second: Tab;

  async function open(): Promise<Tab> {
    const tab = new Tab(browser);
    TestBed.tick();
    await settle();
    return tab;
  }

  beforeEach(async () => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(0);
    browser = new Browser();
    first = await open();
    await first.line.respond(200);
    second = await open();
  });
  afterEach(() => {
    browser.tabs.forEach((tab) => tab.user.set(null));
    TestBed.tick();
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  it('is one line to the server, which every tab hears and whose state every tab tells', async () => {
    expect(first.lines).toHaveLength(1);
    expect(second.lines).toHaveLength(0);
    expect([first.state, second.state]).toEqual(['live', 'live']);
    expect(second.openings).toBe(1);
    await first.line.write(command('7'));
    expect([first.seen, second.seen]).toEqual([['7'], ['7']]);
    await first.line.write('event: resync\ndata: {}\n\n');
    expect([first.openings, second.openings]).toEqual([2, 2]);
    await first.line.write('event: bye\ndata: {"reason":"rights_changed"}\n\n');
    expect(first.refresh).toHaveBeenCalledTimes(1);
    expect(second.refresh).toHaveBeenCalledTimes(1);
  });

  it('goes on in another tab at once when its own closes, from where it was', async () => {
    await first.line.write(command('7'));
    browser.close(first);
    await settle();
    expect(second.state).toBe('reconnecting');
    expect(second.line.headers['Last-Event-ID']).toBe('7');
    await second.line.respond(200);
    expect(second.state).toBe('live');
    expect(second.openings).toBe(2);
    await second.line.write(command('8'));
    expect(second.seen).toEqual(['7', '8']);
  });

  it('gives a tab that comes late the cursor of the others', async () => {
    await first.line.write(command('7'));
    const third = await open();
    browser.close(first);
    browser.close(second);
    await settle();
    expect(third.line.headers['Last-Event-ID']).toBe('7');
  });

  it('says in every tab since when the server was not heard', async () => {
    await jest.advanceTimersByTimeAsync(6_000);
    await first.line.write(': alive\n\n');
    const heard = Date.now();
    await jest.advanceTimersByTimeAsync(5_000);
    first.line.end();
    await settle();
    expect(second.stream.connection()).toEqual({ state: 'reconnecting', since: heard });
    await jest.advanceTimersByTimeAsync(10_000);
    expect(second.stream.connection()).toEqual({ state: 'stale', since: heard });
    expect(second.lines).toHaveLength(0);
  });

  it('is asked to try at once from any tab', async () => {
    first.line.end();
    await settle();
    second.stream.reconnect();
    await settle();
    expect(first.lines).toHaveLength(2);
    expect(second.lines).toHaveLength(0);
  });

  it('does not believe a tab that has fallen asleep: another takes the line, and the sleeper follows when it wakes', async () => {
    await first.line.write(command('7'));
    first.isAsleep = true;
    await jest.advanceTimersByTimeAsync(34_000);
    expect(second.state).toBe('live');
    await jest.advanceTimersByTimeAsync(1_000);
    expect(second.state).toBe('reconnecting');
    expect(browser.leader).toBe(second);
    expect(second.line.headers['Last-Event-ID']).toBe('7');
    first.isAsleep = false;
    expect(first.line.closed).toBe(true);
    const { length } = first.lines;
    await second.line.respond(200);
    await second.line.write(command('8'));
    expect(first.seen).toEqual(['7', '8']);
    expect(first.lines).toHaveLength(length);
    expect([first.state, second.state]).toEqual(['live', 'live']);
  });

  it('does not try again and again, in turns, on a server without a stream', async () => {
    first.line.end();
    await jest.advanceTimersByTimeAsync(500);
    await first.line.respond(404);
    expect([first.state, second.state]).toEqual(['unavailable', 'unavailable']);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(first.lines).toHaveLength(2);
    expect(second.lines).toHaveLength(0);
    second.stream.reconnect();
    await settle();
    expect(first.lines).toHaveLength(3);
    await first.line.respond(200);
    expect([first.state, second.state]).toEqual(['live', 'live']);
  });

  it('goes on in another tab when somebody logs out of the one that has it', async () => {
    first.user.set(null);
    TestBed.tick();
    await settle();
    expect(first.line.closed).toBe(true);
    expect(first.state).toBe('off');
    expect(second.lines).toHaveLength(1);
  });
});
