import { randomUUID } from 'node:crypto';
import { connectRedis } from '../src/core/queue/redis';
import { eventually, TestEnvironment } from './support/environment';
import { EventReader } from './support/event-reader';
import type { FakeAgent } from './support/fake-agent';
import { describeWith } from './support/programs';
import { REDIS_PROGRAMS, RedisTopology } from './support/redis-topologies';
import { ServerProcess } from './support/server-process';

jest.setTimeout(120_000);

describeWith('redis', REDIS_PROGRAMS)('a Redis of several processes', () => {
  let topology: RedisTopology | undefined;
  let env: TestEnvironment | undefined;
  afterEach(async () => {
    await env?.destroy();
    await topology?.stop();
    env = topology = undefined;
  });

  const start = async (make: () => Promise<RedisTopology>): Promise<TestEnvironment> => {
    topology = await make();
    const { url } = topology;
    env = await TestEnvironment.create({}, () => Promise.resolve({ REDIS_URL: url }));
    return env;
  };
  const ready = async (server: TestEnvironment): Promise<void> =>
    eventually(async () => expect((await fetch(`${server.url}/health/ready`)).status).toBe(200), 30_000);
  /** By the queue, the bus and the cache: an order, its delivery, its result, and the news of it. */
  const works = async (server: TestEnvironment, client: { id: string }, agent: FakeAgent): Promise<void> => {
    const id = await server.command(client.id);
    await eventually(() => expect(agent.received.map((command) => command.id)).toContain(id));
    await eventually(async () => expect(await agent.post(`/api/commands/${id}/result`, { success: true })).toBe(200));
    await server.reaches(id, 'completed');
  };

  it('watched by sentinels fails over: nothing is refused meanwhile, and everything is as before afterwards', async () => {
    const server = await start(() => RedisTopology.sentinels());
    await ready(server);
    const client = await server.client('machine');
    const agent = await server.connect(client);
    const news = await EventReader.open(`${server.url}/api/events`, server.token);
    await works(server, client, agent);
    await topology?.killFirst();
    await works(server, client, agent);
    await ready(server);
    await works(server, client, agent);
    await eventually(() => expect(new Set(news.of<{ id: string }>('command').map(({ id }) => id)).size).toBe(3));
    news.close();
  });

  it('that is a cluster carries queues, news and presence', async () => {
    const server = await start(() => RedisTopology.cluster());
    await ready(server);
    const client = await server.client('machine', { concurrency: 1 });
    const agent = await server.connect(client);
    await works(server, client, agent);
    // Through the queue: the second waits for the slot of the first.
    const ids = [await server.command(client.id), await server.command(client.id)];
    for (const id of ids) {
      await eventually(() => expect(agent.received.map((command) => command.id)).toContain(id));
      await agent.post(`/api/commands/${id}/result`, { success: true });
    }
    const { body } = await server.get('/api/system').expect(200);
    const { parts, queues } = body as { parts: object[]; queues: { name: string; counts: object | null }[] };
    expect(parts).toMatchObject([{ name: 'postgresql', status: 'up' }, { name: 'redis', status: 'up' }, { name: 'audit', status: 'up' }]);
    expect(queues.every(({ counts }) => counts !== null)).toBe(true);
  });

  it('that speaks TLS only is reached by who trusts its certificate, and by nobody else', async () => {
    const stranger = await start(() => RedisTopology.tls());
    const part = async (): Promise<object | undefined> =>
      ((await stranger.get('/api/system').expect(200)).body as { parts: { name: string }[] }).parts.find(({ name }) => name === 'redis');
    await eventually(async () => expect(await part()).toMatchObject({ status: 'down' }));
    const settings = { DATABASE_URL: stranger.databaseUrl, REDIS_URL: topology?.url ?? '', JWT_SECRET: randomUUID() + randomUUID() };
    const trusting = await ServerProcess.start({ ...settings, NODE_EXTRA_CA_CERTS: topology?.authority ?? '' });
    try {
      expect((await fetch(`${trusting.url}/health/ready`)).status).toBe(200);
    } finally {
      await trusting.stop();
    }
  });

  it('that is not trusted ends nothing when a connection is given up amid its handshake', async () => {
    topology = await RedisTopology.tls();
    const trusted: string[] = [];
    for (let n = 0; n < 60; n++) {
      const strangers = Array.from({ length: 4 }, () => connectRedis(topology?.url ?? '', 'stranger'));
      for (const redis of strangers) redis.once('ready', () => trusted.push(redis.status));
      await new Promise((resolve) => setTimeout(resolve, n));
      for (const redis of strangers) redis.disconnect();
    }
    // What the last of them may still hear; an error that nobody hears fails the test that is running.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(trusted).toEqual([]);
  });
});
