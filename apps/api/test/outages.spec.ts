import { randomUUID } from 'node:crypto';
import { type AddressInfo, connect, createServer } from 'node:net';
import request from 'supertest';
import { DataSource } from 'typeorm';
import { loadConfig } from '../src/core/config/config';
import { isAway } from '../src/core/database/away';
import { HotDatabase } from '../src/core/database/hot-database';
import { OpenSockets } from '../src/core/database/open-sockets';
import { AS_APP_ROLE, MIGRATIONS, prepareDatabase } from '../src/core/database/owner';
import type { Queries } from '../src/core/database/queries';
import { ask } from '../src/core/database/statement';
import { SteadyClient } from '../src/core/database/steady-client';
import { createDatabase, dropDatabase, eventually, query, TestEnvironment } from './support/environment';
import { EventReader } from './support/event-reader';
import { TcpProxy } from './support/tcp-proxy';

const SLEEP = { text: 'SELECT pg_sleep(600)', values: [] };

/** Between the server and its parts stands a network that the test can cut. */
describe('a server whose parts go away', () => {
  let env: TestEnvironment;
  let database: TcpProxy;
  let redis: TcpProxy;
  beforeAll(async () => {
    env = await TestEnvironment.create({ DB_HOT_QUERY_MS: '1000', DB_QUERY_MS: '1000' }, async ({ databaseUrl, redisUrl }) => {
      [database, redis] = [await TcpProxy.create(databaseUrl), await TcpProxy.create(redisUrl)];
      return { DATABASE_URL: through(databaseUrl, database), REDIS_URL: through(redisUrl, redis) };
    });
  });
  afterEach(() => {
    database.mend();
    redis.mend();
  });
  afterAll(async () => {
    // What is still half open would be waited for.
    database.cut();
    database.mend();
    await env.destroy();
    await database.close();
    await redis.close();
  });

  const through = (url: string, proxy: TcpProxy): string => Object.assign(new URL(url), { host: new URL(proxy.url).host }).toString();
  /** Until PostgreSQL sleeps for it; it gives up by itself soon. */
  const untilAsleep = (asked: Promise<unknown>): Promise<unknown> => {
    const asleep = (): Promise<unknown[]> => env.sql(`SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`);
    return Promise.race([asked.catch(() => undefined), eventually(async () => expect(await asleep()).toHaveLength(1))]);
  };
  const ready = async (): Promise<{ status: number; down: string[] }> => {
    const answer = await request(env.url).get('/health/ready');
    return { status: answer.status, down: (answer.body as { down: string[] }).down };
  };

  it('accepts, delivers and finishes commands while Redis is away, and as ever when it is back', async () => {
    // Of one that has two at a time, the two may arrive in either order.
    const client = await env.client('no-redis', { concurrency: 1 });
    const agent = await env.connect(client);
    redis.cut();
    await eventually(async () => expect(await ready()).toEqual({ status: 503, down: ['redis'] }));
    const ids = [];
    for (let n = 0; n < 10; n++) ids.push(await env.command(client.id));
    const answered = new Set<string>();
    const answer = (): Promise<void> =>
      eventually(async () => {
        for (const { id } of agent.received) {
          if (answered.has(id)) continue;
          answered.add(id);
          expect(await agent.post(`/api/commands/${id}/result`, { success: true })).toBe(200);
        }
        expect(answered.size).toBe(ids.length);
      });
    await answer();
    expect(agent.received.map(({ id }) => id)).toEqual(ids);
    const second = await env.client('no-redis-either');
    const late = await env.connect(second);
    redis.mend();
    await eventually(async () => expect(await ready()).toEqual({ status: 200, down: [] }));
    const id = await env.command(second.id);
    await eventually(() => expect(late.received.map((command) => command.id)).toEqual([id]));
  });

  it('answers while Redis is gone without a word, and finds it again by itself', async () => {
    const client = await env.client('silent-redis');
    const agent = await env.connect(client);
    const order = (): request.Test => env.post('/api/commands', { clientId: client.id, action: 'noop', payload: {} }).set('Idempotency-Key', 'silent-redis').expect(201);
    const { id } = (await order()).body as { id: string };
    await eventually(() => expect(agent.received).toHaveLength(1));
    expect(await agent.post(`/api/commands/${id}/result`, { success: true })).toBe(200);
    await env.get(`/api/commands/${id}`).expect(200);
    redis.freeze();
    // What is read may be in the cache, and the cache says nothing.
    expect((await order()).body).toMatchObject({ id, status: 'completed' });
    await env.get(`/api/commands/${id}`).expect(200);
    await eventually(async () => expect(await ready()).toEqual({ status: 200, down: [] }));
    const next = await env.command(client.id);
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([id, next]));
  });

  it('answers 503 while PostgreSQL is away, ends no stream for it, and loses nothing', async () => {
    const client = await env.client('no-database');
    const agent = await env.connect(client);
    const running = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    const watching = await EventReader.open(`${env.url}/api/events`, env.token);
    await eventually(() => expect(watching.of('point').length).toBeGreaterThan(0));

    database.cut();
    const calls: [string, () => request.Test][] = [
      ['create', () => env.post('/api/commands', { clientId: client.id, action: 'noop', payload: {} })],
      ['read', () => env.get(`/api/commands/${running}`)],
      ['list', () => env.get('/api/commands')],
      ['log-in', () => request(env.url).post('/api/auth/login').send({ email: 'admin@example.com', password: 'x' })],
      ['enrol', () => request(env.url).post('/api/enrol').send({ token: 'x', name: 'x', platform: 'x' })],
      ['stream', () => request(env.url).get('/api/events/no-database').set('Authorization', `Bearer ${client.clientKey}`)],
    ];
    for (const [what, call] of calls) {
      const { status, headers, body } = await call();
      expect([what, status, headers['retry-after'], (body as { code: string }).code]).toEqual([what, 503, '2', 'database_unavailable']);
    }
    expect(await agent.post(`/api/commands/${running}/result`, { success: true, data: 1 })).toBe(503);
    expect(await ready()).toEqual({ status: 503, down: ['postgresql'] });
    await request(env.url).get('/health/live').expect(200);
    expect([agent.closed, watching.closed]).toEqual([false, false]);

    database.mend();
    await eventually(async () => expect(await agent.post(`/api/commands/${running}/result`, { success: true, data: 1 })).toBe(200));
    expect((await env.reaches(running, 'completed'))['result']).toMatchObject({ data: 1 });
    const next = await env.command(client.id);
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([running, next]));
    await eventually(() => expect(watching.of<{ id: string }>('command').some(({ id }) => id === next)).toBe(true));
    watching.close();
  });

  it('lives on when its connections are lost in the middle of its transactions', async () => {
    const client = await env.client('lost-in-the-middle');
    const underWay = env.app.get(HotDatabase).together([SLEEP]);
    await untilAsleep(underWay);
    database.cut();
    expect(isAway(await underWay.catch((error: unknown) => error))).toBe(true);
    database.mend();
    const stepByStep = env.app.get(DataSource).transaction(async (queries: Queries) => {
      await queries.query('SELECT 1');
      const heard = jest.spyOn(SteadyClient.prototype, 'emit');
      database.cut();
      // The loss is heard of while no statement waits for an answer.
      await eventually(() => expect(heard).toHaveBeenCalledWith('error', expect.anything()));
      heard.mockRestore();
      await queries.query('SELECT 1');
    });
    expect(isAway(await stepByStep.catch((error: unknown) => error))).toBe(true);
    database.mend();
    await eventually(async () => expect((await env.post('/api/commands', { clientId: client.id, action: 'noop', payload: {} })).status).toBe(201));
  });

  it('are away for what is still asked while the server stops', async () => {
    const stopping = new HotDatabase(env.databaseUrl, env.app.get(OpenSockets, { strict: false }), { max: 1, connectMs: 1_000, queryMs: 1_000 });
    await stopping.onApplicationShutdown();
    expect(isAway(await stopping.query('SELECT 1').catch((error: unknown) => error))).toBe(true);
    const general = await new DataSource({ type: 'postgres', url: env.databaseUrl }).initialize();
    const asked = general.createQueryRunner();
    await general.destroy();
    expect(isAway(await asked.query('SELECT 1').catch((error: unknown) => error))).toBe(true);
  });

  it('gives up connections to PostgreSQL that are half open, on either side', async () => {
    const client = await env.client('half-open');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    // One transaction of each pool holds the command's lock when its server is gone without a word.
    const waiting: (() => void)[] = [];
    const lock = { text: 'SELECT 1 FROM commands WHERE id = $1 FOR SHARE', values: [id] };
    const stepByStep = env.app.get(DataSource).transaction(async (queries: Queries) => {
      await ask(queries, lock);
      await new Promise<void>((goOn) => waiting.push(goOn));
      await queries.query('SELECT 1');
    });
    await eventually(() => expect(waiting).toHaveLength(1));
    const underWay = env.app.get(HotDatabase).together([lock, SLEEP]);
    await untilAsleep(underWay);
    database.freeze();
    waiting.forEach((goOn) => goOn());
    const ends = await Promise.allSettled([stepByStep, underWay]);
    expect(ends.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await eventually(async () => expect(await agent.post(`/api/commands/${id}/result`, { success: true })).toBe(200));
    expect((await env.post('/api/commands', { clientId: client.id, action: 'noop', payload: {} })).status).toBe(201);
    expect(await ready()).toEqual({ status: 200, down: [] });
  });
});

/** A message of PostgreSQL's protocol. */
function message(type: string, body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(4 + body.length);
  return Buffer.concat([Buffer.from(type), length, body]);
}

it.each([1, 2, 3])('a start lives on when its connection %d is lost in the moment in which it is ready, when nobody listens yet', async (lost) => {
  const databaseUrl = await createDatabase();
  const ready = [message('R', Buffer.alloc(4)), message('Z', Buffer.from('I'))];
  const fatal = message('E', Buffer.from('SFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'));
  let connections = 0;
  const network = createServer((near) => {
    if (++connections === lost) return near.once('data', () => near.end(Buffer.concat([...ready, fatal])));
    const far = connect(Number(new URL(databaseUrl).port), '127.0.0.1');
    for (const socket of [near, far]) socket.on('error', () => undefined);
    return near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve));
  const through = Object.assign(new URL(databaseUrl), { port: (network.address() as AddressInfo).port }).toString();
  const config = loadConfig({ DATABASE_URL: through, REDIS_URL: 'redis://localhost', JWT_SECRET: randomUUID() + randomUUID() });
  // Not as the owner of the database, with more rights than it should have.
  expect(await prepareDatabase(config).catch(isAway)).toBe(lost === 3 ? true : AS_APP_ROLE);
  expect(connections).toBeGreaterThanOrEqual(lost);
  expect(await prepareDatabase(config)).toBe(AS_APP_ROLE);
  expect(await query(databaseUrl, 'SELECT FROM migrations')).toHaveLength(MIGRATIONS.length);
  await new Promise((resolve) => network.close(resolve));
  await dropDatabase(databaseUrl);
}, 30_000);

/** The lock of all starts on this database, while one has it. */
const HELD = `SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = current_database() AND locktype = 'advisory' AND granted`;

it('a start whose way to PostgreSQL is gone without a word says so, and keeps no other from starting', async () => {
  const databaseUrl = await createDatabase();
  const settings = { REDIS_URL: 'redis://localhost', JWT_SECRET: randomUUID() + randomUUID(), DB_QUERY_MS: '2000' };
  const direct = loadConfig({ ...settings, DATABASE_URL: databaseUrl });
  await prepareDatabase(direct);
  const network = await TcpProxy.create(databaseUrl);
  const through = Object.assign(new URL(databaseUrl), { host: new URL(network.url).host }).toString();
  // It holds the lock of all starts, and waits for an answer that never comes.
  network.swallowFrom('UPDATE audit_policy');
  const lost = prepareDatabase(loadConfig({ ...settings, DATABASE_URL: through })).then(() => 'done', () => 'failed');
  await eventually(async () => expect(await query(databaseUrl, HELD)).toHaveLength(1));
  network.freeze();
  await prepareDatabase(direct);
  expect(await lost).toBe('failed');
  await network.close();
  await dropDatabase(databaseUrl);
}, 30_000);
