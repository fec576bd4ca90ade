import { HttpErrorResponse } from '@angular/common/http';
import { signal } from '@angular/core';
import { TestBed } from '@angular/core/testing';
import { Subject } from 'rxjs';
import { type Connection, EventStream } from '../../core/events/event-stream';
import type { Client, News, Page } from '../../core/http/wire';
import { ClientList } from './client-list';
import { ClientsApi } from './clients-api';

const client = (id: string, change: Partial<Client> = {}): Client => ({
  id,
  name: `till-${id}`,
  status: 'offline',
  lastSeenAt: null,
  agent: null,
  groups: [],
  labels: {},
  concurrency: 4,
  createdAt: '2026-03-05T12:00:00Z',
  ...change,
});
const news = (id: string, change: Partial<News['client']> = {}): News['client'] => {
  const { name, status, lastSeenAt, groups, labels } = client(id);
  return { id, name, status, lastSeenAt, groups, labels, deletedAt: null, ...change };
};

describe('the list of clients', () => {
  const connection = signal<Connection>({ state: 'live' });
  const api = { page: jest.fn(), get: jest.fn() };
  let opened: Subject<void>;
  let stream: Subject<News['client']>;
  let frames: FrameRequestCallback[];

  beforeEach(() => {
    jest.useFakeTimers();
    connection.set({ state: 'live' });
    opened = new Subject();
    stream = new Subject();
    frames = [];
    jest.spyOn(globalThis, 'requestAnimationFrame').mockImplementation((callback) => frames.push(callback));
    api.get.mockReset();
    api.page.mockReset().mockResolvedValue(page(['1', '2', '3']));
    TestBed.configureTestingModule({
      providers: [
        ClientList,
        { provide: ClientsApi, useValue: api },
        { provide: EventStream, useValue: { connection, opened, news: () => stream } },
      ],
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  const page = (ids: string[], nextCursor: string | null = null): Page<Client> => ({
    items: ids.map((id) => client(id)),
    nextCursor,
  });
  const settle = (milliseconds = 0): Promise<void> => jest.advanceTimersByTimeAsync(milliseconds);
  const frame = async (): Promise<void> => {
    frames.splice(0).forEach((draw) => draw(0));
    await settle();
  };
  const ids = (list: ClientList): string[] => list.rows().map(({ id }) => id);
  async function start(): Promise<ClientList> {
    const list = TestBed.inject(ClientList);
    await settle();
    return list;
  }

  it('reads every page, shows what is there already, and orders by name as people count', async () => {
    let answer: (page: Page<Client>) => void = () => undefined;
    api.page.mockResolvedValueOnce(page(['10', '9'], '9'));
    api.page.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    const list = await start();
    expect(ids(list)).toEqual(['9', '10']);
    expect(list.isComplete()).toBe(false);
    answer(page(['2', '100']));
    await settle();
    expect(api.page.mock.calls).toEqual([[null], ['9']]);
    expect(ids(list)).toEqual(['2', '9', '10', '100']);
    expect([list.isComplete(), list.loading()]).toEqual([true, false]);
  });

  it('takes any number of news in one change of the screen, and reads nothing for them', async () => {
    const list = await start();
    let changes = 0;
    const before = list.rows();
    for (let n = 0; n < 500; n++) stream.next(news(`${(n % 3) + 1}`, { status: n % 2 ? 'online' : 'offline' }));
    expect(list.rows()).toBe(before);
    expect(frames).toHaveLength(1);
    let last = list.rows();
    await frame();
    if (list.rows() !== last) changes++;
    last = list.rows();
    await frame();
    if (list.rows() !== last) changes++;
    expect(changes).toBe(1);
    expect(list.rows().map(({ status }) => status)).toEqual(['offline', 'online', 'online']);
    expect(list.online()).toBe(2);
    expect(api.page).toHaveBeenCalledTimes(1);
    expect(api.get).not.toHaveBeenCalled();
  });

  it('meets new clients, lets removed ones go and follows new names and groups', async () => {
    const list = await start();
    api.get.mockResolvedValue(client('4', { groups: ['tills'] }));
    stream.next(news('4'));
    stream.next(news('2', { deletedAt: '2026-03-05T12:00:00Z', name: 'till-2' }));
    stream.next(news('3', { name: 'a-till', groups: ['seoul'] }));
    await frame();
    expect(ids(list)).toEqual(['3', '1', '4']);
    expect(list.groups()).toEqual(['seoul', 'tills']);
  });

  it('reads all again when many are new, and after an opening, but not twice at once', async () => {
    const list = await start();
    for (let n = 10; n < 30; n++) stream.next(news(`${n}`));
    api.page.mockResolvedValue(page(['1', '10', '29']));
    await frame();
    expect(ids(list)).toEqual(['1', '10', '29']);
    let answer: (page: Page<Client>) => void = () => undefined;
    api.page.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    opened.next();
    opened.next();
    opened.next();
    expect(api.page).toHaveBeenCalledTimes(3);
    answer(page(['1']));
    await settle(1_999);
    expect(api.page).toHaveBeenCalledTimes(3);
    await settle(1);
    expect(api.page).toHaveBeenCalledTimes(4);
  });

  it('does not let a page that was read before the news overwrite them', async () => {
    const list = await start();
    let answer: (page: Page<Client>) => void = () => undefined;
    api.page.mockReturnValueOnce(new Promise((resolve) => (answer = resolve)));
    opened.next();
    stream.next(news('2', { status: 'online' }));
    await frame();
    answer(page(['1', '2', '3']));
    await settle();
    await frame();
    expect(list.rows().map(({ status }) => status)).toEqual(['offline', 'online', 'offline']);
  });

  it('waits a moment for a stream that is about to open, and reads once', async () => {
    connection.set({ state: 'connecting' });
    const list = await start();
    expect(api.page).not.toHaveBeenCalled();
    opened.next();
    await settle(5_000);
    expect(api.page).toHaveBeenCalledTimes(1);
    expect(list.total()).toBe(3);
  });

  it.each([
    [{ status: 'online' as const }, ['2']],
    [{ group: 'tills' }, ['1', '2']],
    [{ label: 'site' }, ['1', '3']],
    [{ label: 'site=seoul' }, ['1']],
    [{ label: 'site=' }, []],
    [{ q: 'LL-3' }, ['3']],
    [{ group: 'tills', q: '1' }, ['1']],
    [{}, ['1', '2', '3']],
  ])('with %j has %j', async (filters, expected) => {
    const items = [
      client('1', { groups: ['tills'], labels: { site: 'seoul' } }),
      client('2', { groups: ['tills'], status: 'online' }),
      client('3', { labels: { site: 'busan' } }),
    ];
    api.page.mockResolvedValue({ items, nextCursor: null });
    const list = await start();
    list.filters.set(filters);
    expect(ids(list)).toEqual(expected);
    expect(list.total()).toBe(3);
  });

  it('keeps what it has when the server is away, and says so', async () => {
    const list = await start();
    api.page.mockRejectedValueOnce(new HttpErrorResponse({ status: 0 }));
    opened.next();
    await settle();
    expect(list.problem()?.code).toBe('unreachable');
    expect(list.total()).toBe(3);
    await list.load();
    expect(list.problem()).toBeNull();
  });
});
