import { HttpErrorResponse } from '@angular/common/http';
import { signal } from '@angular/core';
import { type ComponentFixture, TestBed } from '@angular/core/testing';
import { provideRouter } from '@angular/router';
import type { Permission } from '@gwanje/contracts';
import { Subject } from 'rxjs';
import { type Connection, EventStream } from '../../core/events/event-stream';
import type { User } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { type Bucket, type Overview, OverviewApi } from './overview-api';
import { OverviewPage } from './overview.page';

const none = { completed: 0, failed: 0, cancelled: 0, expired: 0, timed_out: 0, indeterminate: 0 };
const bucket = (hour: number, change: Partial<Bucket> = {}): Bucket => ({
  from: `2026-03-05T0${hour}:00:00Z`,
  to: `2026-03-05T0${hour + 1}:00:00Z`,
  ...none,
  ...change,
});
const overview = (change: Partial<Overview> = {}): Overview => ({
  at: '2026-03-05T03:00:00Z',
  clients: { online: 3, offline: 1200 },
  commands: {
    byState: { pending: 7, dispatched: 0, running: 2 },
    ended: [bucket(1, { completed: 30, failed: 12 }), bucket(2, { completed: 5, timed_out: 1 })],
  },
  throughput: { perMinute: 12.34 },
  latency: { waitingMs: { p50: 40, p95: 61_000 }, runningMs: null },
  failedLately: [
    {
      id: 'x1',
      clientId: 'c1',
      clientName: 'till-1',
      action: 'print',
      status: 'failed',
      errorMessage: 'jam <b>in</b> tray',
      completedAt: '2026-03-05T02:59:00Z',
    },
  ],
  waiting: [{ clientId: 'c2', clientName: 'till-2', status: 'offline', pending: 5, oldestAt: '2026-03-05T02:55:00Z' }],
  ...change,
});

describe('the overview', () => {
  const user = signal<User | null>(null);
  const connection = signal<Connection>({ state: 'live' });
  const api = { get: jest.fn() };
  let opened: Subject<void>;
  let news: Subject<unknown>;
  let fixture: ComponentFixture<OverviewPage>;
  let page: HTMLElement;

  beforeEach(() => {
    jest.useFakeTimers();
    opened = new Subject();
    news = new Subject();
    api.get.mockReset().mockResolvedValue(overview());
    may('commands.read', 'clients.read');
    TestBed.configureTestingModule({
      providers: [
        provideRouter([]),
        { provide: OverviewApi, useValue: api },
        { provide: EventStream, useValue: { connection, opened, news: () => news, reconnect: jest.fn() } },
        { provide: Session, useValue: { user } },
      ],
    });
    TestBed.inject(I18n).choose('en');
  });
  afterEach(() => jest.useRealTimers());

  function may(...permissions: Permission[]): void {
    user.set({ id: 'u', email: '', name: '', roles: [], permissions });
  }

  async function settle(milliseconds = 0): Promise<void> {
    await jest.advanceTimersByTimeAsync(milliseconds);
    TestBed.tick();
  }

  async function open(): Promise<void> {
    fixture = TestBed.createComponent(OverviewPage);
    page = fixture.nativeElement as HTMLElement;
    TestBed.tick();
    await settle();
  }

  /** The words of a section, a space between what stands apart. */
  function part(id: string): string {
    const section = page.querySelector(`section[aria-labelledby=${id}]`) as Element;
    const texts = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
    const words: string[] = [];
    while (texts.nextNode()) words.push(texts.currentNode.textContent ?? '');
    return words.join(' ').replace(/\s+/g, ' ').trim();
  }

  it('tells how many, how fast, what failed and what waits', async () => {
    await open();
    expect(part('clients')).toBe('Clients Online 3 Offline 1,200');
    expect(part('open')).toBe('Open commands Pending 7 Dispatched 0 Running 2');
    expect(part('throughput')).toContain('12.3 completed a minute');
    expect(part('latency-0')).toBe('Waiting until the start Half within 40 ms 95 % within 1 min 1 sec');
    expect(part('latency-1')).toBe('Running Nothing ended in the last 5 minutes');
    expect(part('failed')).toMatch(/print on till-1 Failed jam <b>in<\/b> tray/);
    expect(part('waiting')).toMatch(/till-2 Offline 5 waiting the oldest for 5 min/);
    expect([...page.querySelectorAll('ol a')].map((link) => link.getAttribute('href'))).toEqual([
      '/commands/x1',
      '/clients/c2',
    ]);
    expect(page.querySelector('section a[href="/clients?status=offline"]')).not.toBeNull();
  });

  it('draws what ended by state, and says the same in a table', async () => {
    await open();
    const rows = [...page.querySelectorAll('table tr')].map((row) =>
      [...row.children].map((cell) => cell.textContent?.trim()),
    );
    expect(rows[0]?.slice(1)).toEqual(['Completed', 'Failed', 'Cancelled', 'Expired', 'Timed out', 'Indeterminate']);
    expect(rows.slice(1).map((row) => row.slice(1))).toEqual([
      ['30', '12', '0', '0', '0', '0'],
      ['5', '0', '0', '0', '1', '0'],
    ]);
    expect(page.querySelector('caption')?.textContent).toContain('48 commands ended');
    // The scale goes to 50; the parts of a bar stand upon each other.
    const bar = (state: string): (string | null | undefined)[] =>
      ['x', 'y', 'height'].map((name) => page.querySelector(`rect.${state}`)?.getAttribute(name));
    expect(bar('completed')).toEqual(['0.15', '40', '60']);
    expect(bar('failed')).toEqual(['0.15', '16', '24']);
    expect(bar('timed_out')).toEqual(['1.15', '88', '2']);
    expect(page.querySelectorAll('rect:not(.whole)')).toHaveLength(4);
  });

  it('says at the axes what the bars stand for, with the day where there is more than one', async () => {
    const hours = Array.from({ length: 24 }, (_, hour) => Date.UTC(2026, 2, 3 + hour / 8, (hour % 8) * 3));
    const ended = hours.map((at): Bucket => {
      const [from, to] = [new Date(at).toISOString(), new Date(at + 3 * 3_600_000).toISOString()];
      return { ...none, from, to, completed: 40 };
    });
    api.get.mockResolvedValue(overview({ commands: { byState: { pending: 0, dispatched: 0, running: 0 }, ended } }));
    await open();
    const names = [...page.querySelectorAll('tbody th')].map((cell) => cell.textContent);
    expect(new Set(names).size).toBe(24);
    const marks = [...page.querySelectorAll('.times span')].map((mark) => mark.textContent);
    expect(marks).toEqual([names[0], names[6], names[12], names[18]]);
    expect(marks.every((mark) => /^Mar \d, /.test(mark ?? ''))).toBe(true);
    expect(page.querySelector('.top')?.textContent).toBe('50 commands');
    expect(page.querySelector('svg[role=img]')?.getAttribute('aria-label')).toContain('960 commands ended');
    expect(page.querySelector('g title')?.textContent).toBe(`${names[0]}\nCompleted 40`);
  });

  it('is read again for news at most every two seconds, at every opening, and never without a cause', async () => {
    await open();
    expect(api.get).toHaveBeenCalledTimes(1);
    await settle(3_600_000);
    expect(api.get).toHaveBeenCalledTimes(1);
    for (let n = 0; n < 50; n++) {
      news.next({});
      await settle(100);
    }
    // At 0, 2 and 4 s, and once more for what came after.
    await settle(10_000);
    expect(api.get).toHaveBeenCalledTimes(5);
    opened.next();
    await settle();
    expect(api.get).toHaveBeenCalledTimes(6);
    expect(api.get).toHaveBeenLastCalledWith(6);
  });

  it('asks for the period of the address, and ignores one that is not offered', async () => {
    await open();
    fixture.componentRef.setInput('hours', '24');
    TestBed.tick();
    await settle();
    expect(api.get).toHaveBeenLastCalledWith(24);
    fixture.componentRef.setInput('hours', '7000');
    TestBed.tick();
    await settle();
    expect(api.get).toHaveBeenLastCalledWith(6);
  });

  it('keeps what it shows when the server is away, and says so', async () => {
    await open();
    api.get.mockRejectedValue(new HttpErrorResponse({ status: 0 }));
    news.next({});
    await settle();
    expect(page.querySelector('[role=alert]')?.textContent).toContain('The server cannot be reached');
    expect(part('clients')).toContain('1,200');
  });

  it('says what to do next where nothing is yet', async () => {
    const empty = { byState: { pending: 0, dispatched: 0, running: 0 }, ended: [bucket(1)] };
    api.get.mockResolvedValue(overview({ clients: { online: 0, offline: 0 }, commands: empty }));
    await open();
    expect(page.textContent).toContain('An administrator can give you rights');
    may('commands.read', 'clients.manage');
    TestBed.tick();
    await settle();
    expect(page.querySelector('gw-empty-state a')?.getAttribute('href')).toBe('/clients/enrol');
  });
});
