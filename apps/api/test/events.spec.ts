import Redis from 'ioredis';
import { Client } from 'pg';
import request from 'supertest';
import { EventReader } from './support/event-reader';
import { eventually, TestEnvironment } from './support/environment';

interface News {
  id: string;
  status: string;
  action: string;
}
const PASSWORD = 'violet kettle drum';

describe('the stream of a console', () => {
  let env: TestEnvironment;
  const readers: EventReader[] = [];
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterEach(() => readers.splice(0).forEach((reader) => reader.close()));
  afterAll(() => env.destroy());

  const open = async (token = env.token, query = '', lastEventId?: string): Promise<EventReader> => {
    const reader = await EventReader.open(`${env.url}/api/events${query}`, token, lastEventId);
    readers.push(reader);
    return reader;
  };
  const statuses = (reader: EventReader, id: string): string[] => reader.of<News>('command').filter((news) => news.id === id).map((news) => news.status);
  const person = async (name: string, roles: string[]): Promise<{ id: string; token: string }> => {
    const email = `${name}@example.com`;
    const { body } = await env.post('/api/users', { email, name, password: PASSWORD, roles }).expect(201);
    const login = await request(env.url).post('/api/auth/login').send({ email, password: PASSWORD }).expect(200);
    return { id: (body as { id: string }).id, token: (login.body as { accessToken: string }).accessToken };
  };

  it('tells what happens to commands and clients', async () => {
    const client = await env.client('told');
    const reader = await open();
    await eventually(() => expect(reader.of('hello')).toHaveLength(1));
    const agent = await env.connect(client);
    await eventually(() => expect(reader.of<News>('client').at(-1)).toMatchObject({ id: client.id, status: 'online' }));
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/result`, { success: true });
    await eventually(() => expect(statuses(reader, id).at(-1)).toBe('completed'));
    agent.disconnect();
    await eventually(() => expect(reader.of<News>('client').at(-1)).toMatchObject({ id: client.id, status: 'offline' }));
    expect((await env.get('/api/events?topics=nonsense')).status).toBe(400);
    await env.get('/api/events').unset('Authorization').expect(401);
  });

  it('misses nothing across a break, also not what commits late', async () => {
    const client = await env.client('resumed');
    const first = await open();
    await eventually(() => expect(first.of('point').length).toBeGreaterThan(0));
    // A transaction that began before everything below, and is still open when the reader takes its last point.
    const late = new Client({ connectionString: env.databaseUrl });
    await late.connect();
    const held = await env.command(client.id);
    await late.query('BEGIN');
    await late.query(`UPDATE commands SET status = 'cancelled', revision = revision + 1 WHERE id = $1`, [held]);
    await late.query(`INSERT INTO command_logs (command_id, revision, event_type, attempt) VALUES ($1, 2, 'cancelled', 1)`, [held]);
    const during = await env.command(client.id);
    const points = first.of('point').length;
    await eventually(() => expect(first.of('point').length).toBeGreaterThan(points));
    expect(statuses(first, during)).toEqual(['pending']);
    const lastId = first.lastId;
    first.close();
    const missed = await env.command(client.id);
    await late.query('COMMIT');
    await late.end();

    const second = await open(env.token, '', lastId);
    await eventually(() => expect([statuses(second, held), statuses(second, missed)].map((list) => list.at(-1))).toEqual(['cancelled', 'pending']));
    const lost = await open(env.token, '', 'not-a-point');
    await eventually(() => expect(lost.of('resync')).toHaveLength(1));
  });

  it('goes on while Redis is flushed, and hears of what another process did', async () => {
    const client = await env.client('elsewhere');
    const reader = await open();
    await eventually(() => expect(reader.of('point').length).toBeGreaterThan(0));
    const redis = new Redis(env.redisUrl);
    await redis.flushall();
    redis.disconnect();
    const id = await env.command(client.id);
    await env.sql(
      `WITH moved AS (UPDATE commands SET status = 'cancelled', revision = revision + 1 WHERE id = $1 RETURNING revision)
       INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT $1, revision, 'cancelled', 1 FROM moved`, [id],
    );
    await eventually(() => expect(statuses(reader, id).at(-1)).toBe('cancelled'));
  });

  it('shows a confined person only their own part', async () => {
    const [mine, foreign] = [await env.client('mine'), await env.client('foreign')];
    const kim = await person('kim', ['operator']);
    const items = [{ user: 'kim@example.com', actions: ['noop'] }];
    await request(env.url).put('/api/clients/mine/permissions').set('Authorization', `Bearer ${env.token}`).send({ items }).expect(200);
    const reader = await open(kim.token);
    await eventually(() => expect(reader.of('point').length).toBeGreaterThan(0));
    const hidden = [await env.command(foreign.id), await env.command(mine.id, { action: 'system_info' })];
    const shown = await env.command(mine.id);
    await eventually(() => expect(statuses(reader, shown)).not.toEqual([]));
    const points = reader.of('point').length;
    await eventually(() => expect(reader.of('point').length).toBeGreaterThan(points + 1));
    for (const id of hidden) expect(statuses(reader, id)).toEqual([]);
  });

  it('shows a script of somebody what the script may read, and not what its owner may', async () => {
    const client = await env.client('scripted');
    const yoon = await person('yoon', ['operator']);
    const items = [{ user: 'yoon@example.com', actions: ['noop'] }];
    await request(env.url).put('/api/clients/scripted/permissions').set('Authorization', `Bearer ${env.token}`).send({ items }).expect(200);
    const made = await request(env.url).post('/api/auth/tokens').set('Authorization', `Bearer ${yoon.token}`).send({ name: 'x', permissions: ['clients.read'] }).expect(201);
    const { token } = made.body as { token: string };
    const [before, session, after] = [await open(token), await open(yoon.token), await open(token)];
    await eventually(() => expect([before, session, after].map((reader) => reader.of('point').length > 0)).toEqual([true, true, true]));
    const id = await env.command(client.id);
    await request(env.url).patch('/api/clients/scripted').set('Authorization', `Bearer ${env.token}`).send({ labels: { a: 'b' } }).expect(200);
    await eventually(() => expect([before, session, after].map((reader) => reader.of<News>('client').some((news) => news.id === client.id))).toEqual([true, true, true]));
    await eventually(() => expect(statuses(session, id)).not.toEqual([]));
    const points = before.of('point').length;
    await eventually(() => expect(before.of('point').length).toBeGreaterThan(points + 1));
    expect([before, after].map((reader) => statuses(reader, id))).toEqual([[], []]);
  });

  it('tells of exports to whoever ordered them, and what was missed', async () => {
    const park = await person('park', ['auditor']);
    const [mine, others] = [await open(), await open(park.token)];
    await eventually(() => expect([mine, others].map((reader) => reader.of('point').length > 0)).toEqual([true, true]));
    const order = async (): Promise<string> => ((await env.post('/api/audit/exports', { format: 'csv' }).expect(202)).body as { id: string }).id;
    const told = (reader: EventReader, id: string): string[] => reader.of<News>('export').filter((news) => news.id === id).map((news) => news.status);
    const first = await order();
    await eventually(() => expect(told(mine, first).at(-1)).toBe('completed'));
    expect(mine.of<{ id: string; progress: number; sha256: string }>('export').findLast((news) => news.id === first)).toMatchObject({ progress: 100, sha256: expect.any(String) });

    const lastId = mine.lastId;
    mine.close();
    const second = await order();
    const back = await open(env.token, '', lastId);
    await eventually(() => expect(told(back, second).at(-1)).toBe('completed'));
    const points = others.of('point').length;
    await eventually(() => expect(others.of('point').length).toBeGreaterThan(points + 1));
    expect(others.of('export')).toEqual([]);
  });

  it.each([
    ['a role is taken', (id: string) => request(env.url).put(`/api/users/${id}/roles`).send({ roles: ['viewer'] })],
    ['the password is changed', (id: string) => request(env.url).patch(`/api/users/${id}`).send({ password: `${PASSWORD}!` })],
    ['the account is disabled', (id: string) => request(env.url).patch(`/api/users/${id}`).send({ disabled: true })],
  ])('ends when %s', async (name, change) => {
    const { id, token } = await person(name.replaceAll(' ', '-'), ['operator']);
    const client = await env.client(`watched-${id}`);
    const command = await env.command(client.id);
    const streams = [await open(token), await EventReader.open(`${env.url}/api/commands/${command}/stream`, token)];
    readers.push(...streams);
    await eventually(() => expect(streams.map((stream) => stream.events.length > 0)).toEqual([true, true]));
    await change(id).set('Authorization', `Bearer ${env.token}`).expect(200);
    await eventually(() => expect(streams.map((stream) => stream.closed)).toEqual([true, true]));
  });
});
