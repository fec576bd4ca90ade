import { provideHttpClient } from '@angular/common/http';
import { HttpTestingController, provideHttpClientTesting, type TestRequest } from '@angular/common/http/testing';
import { signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { provideRouter, Router, withComponentInputBinding } from '@angular/router';
import { RouterTestingHarness } from '@angular/router/testing';
import type { Permission } from '@gwanje/contracts';
import { Subject } from 'rxjs';
import { type Connection, EventStream } from '../../core/events/event-stream';
import type { Client, User } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { ClientsPage } from './clients.page';

describe('the page of all clients', () => {
  const connection = signal<Connection>({ state: 'live' });
  const user = signal<User | null>(null);
  const reconnect = jest.fn();
  let server: HttpTestingController;
  let page: HTMLElement;

  beforeEach(() => {
    // jsdom has neither.
    Object.defineProperty(window, 'matchMedia', {
      configurable: true,
      value: () => ({ matches: false, addListener: () => undefined, removeListener: () => undefined }),
    });
    jest.spyOn(window, 'scrollTo').mockImplementation(() => undefined);
    connection.set({ state: 'live' });
    may('clients.read', 'clients.manage');
    TestBed.configureTestingModule({
      providers: [
        provideHttpClient(),
        provideHttpClientTesting(),
        provideRouter([{ path: 'clients', component: ClientsPage }], withComponentInputBinding()),
        { provide: EventStream, useValue: { connection, opened: new Subject(), news: () => new Subject(), reconnect } },
        { provide: Session, useValue: { user } },
      ],
    });
    TestBed.inject(I18n).choose('en');
    server = TestBed.inject(HttpTestingController);
  });
  afterEach(() => {
    server.verify();
    jest.restoreAllMocks();
  });

  function may(...permissions: Permission[]): void {
    user.set({ id: 'u', email: '', name: '', roles: [], permissions });
  }

  const client = (name: string, change: Partial<Client> = {}): Partial<Client> => ({
    id: name,
    name,
    status: 'offline',
    lastSeenAt: null,
    agent: null,
    groups: [],
    labels: {},
    ...change,
  });

  async function visit(address = '/clients'): Promise<void> {
    const harness = await RouterTestingHarness.create(address);
    page = harness.routeNativeElement as HTMLElement;
  }

  async function list(items: Partial<Client>[]): Promise<TestRequest> {
    const call = server.expectOne(({ url }) => url === '/api/clients');
    call.flush({ items, nextCursor: null });
    await until(() => true);
    return call;
  }

  async function until(condition: () => boolean): Promise<void> {
    for (const end = Date.now() + 4_000; ;) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      TestBed.tick();
      if (condition()) return;
      if (Date.now() > end) throw new Error(`it did not happen; the page says: ${page.textContent ?? ''}`);
    }
  }

  const says = (words: string | RegExp): boolean =>
    typeof words === 'string' ? (page.textContent?.includes(words) ?? false) : words.test(page.textContent ?? '');
  const found = (): string | undefined => page.querySelector('form [role=status]')?.textContent?.trim();

  it('counts who is online, and names the rows of the whole table', async () => {
    await visit();
    await list([client('b', { status: 'online' }), client('a'), client('c')]);
    expect(says('1 of 3 online')).toBe(true);
    expect(page.querySelector('[role=table]')?.getAttribute('aria-rowcount')).toBe('4');
    expect(page.querySelectorAll('[role=columnheader]')).toHaveLength(6);
  });

  it('counts nobody while it does not know them', async () => {
    await visit();
    server.expectOne(({ url }) => url === '/api/clients').error(new ProgressEvent('error'));
    await until(() => page.querySelector('[role=alert]') !== null);
    expect(says('online')).toBe(false);
    [...page.querySelectorAll('button')].find((button) => button.textContent?.trim() === 'Try again')?.click();
    await list([]);
    expect(says('0 of 0 online')).toBe(true);
  });

  it('takes its filters from the address, and puts them there', async () => {
    await visit('/clients?status=online&group=tills&label=site%3Dseoul');
    const tags = { groups: ['tills'], labels: { site: 'seoul' } };
    await list([client('a', { status: 'online', ...tags }), client('b', tags), client('c', { status: 'online' })]);
    expect(found()).toBe('1 found');
    const search = page.querySelector<HTMLInputElement>('input[type=search]') as HTMLInputElement;
    search.value = 'zzz';
    search.dispatchEvent(new Event('input'));
    await until(() => says('No client matches'));
    expect(TestBed.inject(Router).url).toBe('/clients?status=online&group=tills&label=site%3Dseoul&q=zzz');
    [...page.querySelectorAll('button')].find((button) => button.textContent?.trim() === 'Clear the filters')?.click();
    await until(() => TestBed.inject(Router).url === '/clients');
    await until(() => page.querySelector('[role=table]')?.getAttribute('aria-rowcount') === '4');
  });

  it('lists those that gave up an update of their agent', async () => {
    await visit('/clients?update=rolled_back');
    const agent = { version: '1.0.0', platform: 'linux', actions: [] };
    await list([
      client('a', { agent }),
      client('b', { agent: { ...agent, rolledBack: { version: '1.5.0' } } }),
      client('c'),
    ]);
    expect(found()).toBe('1 found');
  });

  it('says what to do next when there is none, by what the person may do', async () => {
    await visit();
    await list([]);
    expect(page.querySelector('gw-empty-state a')?.getAttribute('href')).toBe('/clients/enrol');
    may('clients.read');
    await until(() => says('an administrator gives you rights'));
    expect(page.querySelector('a[href="/clients/new"], a[href="/clients/enrol"]')).toBeNull();
  });

  it('tells an error with its request id, and tries again', async () => {
    await visit();
    server
      .expectOne(({ url }) => url === '/api/clients')
      .flush(
        { status: 503, code: 'database_unavailable', detail: 'x', requestId: 'r-42' },
        { status: 503, statusText: 'Service Unavailable' },
      );
    await until(() => /not ready just now.*r-42/s.test(page.querySelector('[role=alert]')?.textContent ?? ''));
    expect(page.querySelector('gw-empty-state')).toBeNull();
    page.querySelector<HTMLElement>('[role=alert] button')?.click();
    await list([client('a')]);
    expect(page.querySelector('[role=alert]')).toBeNull();
    expect(reconnect).toHaveBeenCalled();
  });

  it('speaks the other language at once', async () => {
    await visit();
    await list([client('a', { status: 'online' })]);
    TestBed.inject(I18n).choose('ko');
    await until(() => says('전체 1대 중 1대 온라인'));
  });
});
