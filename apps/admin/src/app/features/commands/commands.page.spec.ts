import { provideHttpClient } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting, type TestRequest } from '@angular/common/http/testing';
import { signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { provideRouter, Router, withComponentInputBinding } from '@angular/router';
import { RouterTestingHarness } from '@angular/router/testing';
import type { Permission } from '@gwanje/contracts';
import { Subject } from 'rxjs';
import { type Connection, EventStream } from '../../core/events/event-stream';
import type { Command, News, Page, User } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { CommandsPage } from './commands.page';

const CLIENT = 'client-1';
const command = (id: string, change: Partial<Command> = {}): Command => ({
  id,
  clientId: CLIENT,
  batchId: null,
  action: 'noop',
  payload: {},
  priority: 5,
  status: 'pending',
  attempt: 1,
  maxAttempts: 1,
  timeoutMs: 1000,
  result: null,
  errorMessage: null,
  createdBy: 'u',
  createdAt: '2026-03-05T12:00:00Z',
  notBefore: null,
  expiresAt: null,
  dispatchedAt: null,
  startedAt: null,
  completedAt: null,
  ...change,
});
const news = (id: string, change: Partial<Command> = {}): News['command'] => command(id, change);

describe('the list of commands', () => {
  const connection = signal<Connection>({ state: 'live' });
  const user = signal<User | null>(null);
  let events: { connection: typeof connection; opened: Subject<void>; news: jest.Mock; reconnect: jest.Mock };
  let commandNews: Subject<News['command']>;
  let server: HttpTestingController;
  let page: HTMLElement;

  beforeEach(() => {
    connection.set({ state: 'live' });
    may('commands.read', 'commands.create', 'clients.read');
    commandNews = new Subject();
    events = {
      connection,
      opened: new Subject(),
      news: jest.fn((type: string) => (type === 'command' ? commandNews : new Subject())),
      reconnect: jest.fn(),
    };
    TestBed.configureTestingModule({
      providers: [
        provideHttpClient(),
        provideHttpClientTesting(),
        provideRouter([{ path: 'commands', component: CommandsPage }], withComponentInputBinding()),
        { provide: EventStream, useValue: events },
        { provide: Session, useValue: { user } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    server = TestBed.inject(HttpTestingController);
  });
  afterEach(() => server.verify());

  function may(...permissions: Permission[]): void {
    user.set({ id: 'u', email: '', name: '', roles: [], permissions });
  }

  async function visit(address = '/commands'): Promise<void> {
    const harness = await RouterTestingHarness.create(address);
    page = harness.routeNativeElement as HTMLElement;
    server
      .expectOne('/api/clients?limit=200')
      .flush({ items: [{ id: CLIENT, name: 'till-1', status: 'online' }], nextCursor: null });
  }

  async function list(items: Command[], nextCursor: string | null = null): Promise<TestRequest> {
    const call = await request(({ url }) => url === '/api/commands');
    call.flush({ items, nextCursor } satisfies Page<Command>);
    await until(() => true);
    return call;
  }

  async function request(match: (call: { url: string }) => boolean): Promise<TestRequest> {
    let found: TestRequest[] = [];
    await until(() => (found = server.match(match)).length === 1);
    return found[0] as TestRequest;
  }

  async function until(condition: () => boolean): Promise<void> {
    for (const end = Date.now() + 4_000; ;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      TestBed.tick();
      if (condition()) return;
      if (Date.now() > end) throw new Error(`it did not happen; the page says: ${page.textContent ?? ''}`);
    }
  }

  const rows = (): string[] =>
    [...page.querySelectorAll('tbody tr')].map((row) =>
      [...row.children].map((cell) => (cell.textContent ?? '').replace(/\s+/g, ' ').trim()).join(' '),
    );
  const button = (words: string): HTMLElement | undefined =>
    [...page.querySelectorAll<HTMLElement>('button, a')].find((element) => element.textContent?.trim() === words);

  it('shows what was sent, to whom, and how it went, newest first', async () => {
    await visit();
    expect(page.querySelector('mat-progress-bar')).not.toBeNull();
    await list([
      command('3', { priority: 10 }),
      command('2', {
        status: 'failed',
        errorMessage: 'paper jam',
        result: { success: false, data: null, durationMs: 4200 },
      }),
      command('1', { status: 'completed', startedAt: '2026-03-05T12:00:00Z', completedAt: '2026-03-05T12:00:00Z' }),
    ]);
    const [first, second, third] = rows();
    expect(first).toMatch(/till-1 noop Emergency Pending/);
    expect(second).toMatch(/Failed 4\.2 sec paper jam$/);
    expect(third).toMatch(/Completed 0 ms/);
    expect(page.querySelector('tbody a')?.getAttribute('href')).toBe('/commands/3');
    expect(page.querySelector('mat-progress-bar')).toBeNull();
  });

  it('says what to do next when nothing was sent yet, by what the person may do', async () => {
    await visit();
    await list([]);
    expect(page.textContent).toContain('No command has been sent yet');
    expect(page.querySelector('gw-empty-state a')?.getAttribute('href')).toBe('/commands/new');
    may('commands.read');
    await until(() => page.textContent?.includes('as soon as somebody sends one') ?? false);
    expect(page.querySelector('a[href="/commands/new"]')).toBeNull();
  });

  it('keeps the filters in the address, and ignores a state that does not exist', async () => {
    await visit('/commands?status=failed&client=till-1&action=print');
    const { params } = (await list([])).request;
    expect(params.toString()).toBe('status=failed&clientId=till-1&action=print&limit=50');
    expect(page.textContent).toContain('No command matches these filters');
    button('Clear the filters')?.click();
    expect((await list([command('1')])).request.params.toString()).toBe('limit=50');
    expect(TestBed.inject(Router).url).toBe('/commands');
    void TestBed.inject(Router).navigateByUrl('/commands?status=nonsense&action=x');
    expect((await list([])).request.params.toString()).toBe('action=x&limit=50');
  });

  it('tells an error with its request id, and tries again', async () => {
    await visit();
    (await request(({ url }) => url === '/api/commands')).flush(
      { status: 503, code: 'database_unavailable', detail: 'x', requestId: 'r-42' },
      { status: 503, statusText: 'Service Unavailable' },
    );
    await until(() => page.querySelector('[role=alert]') !== null);
    expect(page.querySelector('[role=alert]')?.textContent).toMatch(/not ready just now.*r-42/s);
    expect(page.querySelector('gw-empty-state')).toBeNull();
    button('Try again')?.click();
    await list([command('1')]);
    expect(page.querySelector('[role=alert]')).toBeNull();
    expect(rows()).toHaveLength(1);
  });

  it('loads more by the cursor', async () => {
    await visit();
    await list([command('5'), command('4')], '4');
    button('Load more')?.click();
    expect((await list([command('4'), command('3')])).request.params.get('cursor')).toBe('4');
    expect(rows()).toHaveLength(3);
    expect(button('Load more')).toBeUndefined();
  });

  it('reads again what the news name: a row changes, a new one comes on top, one that no longer matches goes', async () => {
    await visit('/commands?status=pending');
    await list([command('5'), command('4')], '4');
    commandNews.next(news('5', { status: 'running' }));
    commandNews.next(news('6'));
    commandNews.next(news('6'));
    commandNews.next(news('7', { status: 'failed' }));
    commandNews.next(news('1'));
    (await request(({ url }) => url === '/api/commands/5')).flush(command('5', { status: 'running' }));
    server.expectOne('/api/commands/6').flush(command('6', { action: 'print' }));
    await until(() => rows()[0]?.includes('print') ?? false);
    expect([...page.querySelectorAll('tbody a')].map((link) => link.getAttribute('href'))).toEqual([
      '/commands/6',
      '/commands/4',
    ]);
  });

  it('reads the list once for many news, and after every opening of the stream', async () => {
    await visit();
    await list([command('5')]);
    for (let id = 10; id < 40; id++) commandNews.next(news(`${id}`));
    await list([command('39'), command('5')]);
    expect(rows()).toHaveLength(2);
    events.opened.next();
    await list([command('41'), command('39'), command('5')]);
    expect(rows()).toHaveLength(3);
  });

  it('reads again every row that is shown, also those beyond what one call reaches', async () => {
    await visit();
    const all = Array.from({ length: 250 }, (_, at) => command(`${900 - at}`));
    await list(all, '651');
    for (let id = 700; id > 690; id--) commandNews.next(news(`${id}`, { status: 'completed' }));
    const now = [command('901'), ...all.map((one) => ({ ...one, status: 'completed' as const }))];
    const first = await list(now.slice(0, 200), '702');
    expect(first.request.params.toString()).toBe('limit=200');
    const second = await list(now.slice(200, 250), '652');
    expect(second.request.params.toString()).toBe('limit=50&cursor=702');
    expect(rows()).toHaveLength(250);
    expect(rows().filter((row) => row.includes('Completed'))).toHaveLength(249);
    button('Load more')?.click();
    expect((await list(now.slice(250))).request.params.get('cursor')).toBe('652');
    expect(rows()).toHaveLength(251);
  });

  it('does not keep what came of a batch beside the answer to another question', async () => {
    may('commands.read', 'commands.cancel', 'clients.read');
    await visit();
    await list([command('1')]);
    page.querySelector<HTMLInputElement>('tbody input[type=checkbox]')?.click();
    await until(() => button('Cancel them (1)') !== undefined);
    button('Cancel them (1)')?.click();
    (await request(({ url }) => url === '/api/commands/1/cancel')).flush(command('1'));
    await until(() => page.querySelector('.outcome') !== null);
    void TestBed.inject(Router).navigateByUrl('/commands?action=print');
    await list([]);
    expect(page.querySelector('.outcome')).toBeNull();
  });

  it('drops the answer to a question that was changed meanwhile', async () => {
    await visit();
    const old = await request(({ url }) => url === '/api/commands');
    void TestBed.inject(Router).navigateByUrl('/commands?action=print');
    await list([command('9', { action: 'print' })]);
    old.flush({ items: [command('1'), command('2')], nextCursor: null });
    await until(() => true);
    expect(rows()).toHaveLength(1);
  });

  it('says that it is not live, and offers a refresh, only then', async () => {
    await visit();
    await list([command('1')]);
    expect(button('Refresh')).toBeUndefined();
    connection.set({ state: 'unavailable' });
    await until(() => button('Refresh') !== undefined);
    expect(page.textContent).toContain('This server sends no live news');
    button('Refresh')?.click();
    await list([command('2'), command('1')]);
    expect(rows()).toHaveLength(2);
    expect(events.reconnect).toHaveBeenCalledTimes(1);
  });

  it('speaks the other language at once', async () => {
    await visit();
    await list([command('1', { status: 'timed_out' })]);
    TestBed.inject(I18n).choose('ko');
    await until(() => rows()[0]?.includes('시간 초과') ?? false);
    expect(page.querySelector('h1')?.textContent).toBe('명령');
  });
});
