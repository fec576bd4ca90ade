import { getQueueToken } from '@nestjs/bull';
import type { Queue } from 'bull';
import request from 'supertest';
import type { Overview } from '../src/commands/overview';
import type { SystemView } from '../src/operations/system';
import { eventually, TestEnvironment } from './support/environment';
import { TcpProxy } from './support/tcp-proxy';

describe('the overview', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  const overview = async (token = env.token): Promise<Overview> =>
    (await request(env.url).get('/api/overview?hours=2').set('Authorization', `Bearer ${token}`).expect(200)).body as Overview;

  it('counts what is open, what ended, what failed and what waits, within the reach of whoever asks', async () => {
    const [here, away] = [await env.client('here', { groups: ['shop'] }), await env.client('away')];
    const agent = await env.connect(here);
    const [good, bad] = [await env.command(here.id), await env.command(here.id)];
    await eventually(() => expect(agent.received.map(({ id }) => id).sort()).toEqual([good, bad].sort()));
    expect(await agent.post(`/api/commands/${good}/result`, { success: true, data: {} })).toBe(200);
    expect(await agent.post(`/api/commands/${bad}/result`, { success: false, error: 'no paper' })).toBe(200);
    const waits = await env.command(away.id);
    await env.command(away.id);
    const { body } = await env.post('/api/users', { email: 'near@example.com', name: 'near', password: 'violet kettle drum', roles: ['viewer'], scope: 'granted' });
    const near = (body as { id: string }).id;
    await request(env.url).put('/api/groups/shop/permissions').set('Authorization', `Bearer ${env.token}`)
      .send({ items: [{ user: near, actions: ['noop'] }] }).expect(200);

    await eventually(async () => {
      const all = await overview();
      expect(all.clients).toEqual({ online: 1, offline: 1 });
      expect(all.commands.byState).toEqual({ pending: 2, dispatched: 0, running: 0 });
      const sum = (state: 'completed' | 'failed' | 'pending'): number => all.commands.ended.reduce((total, span) => total + span[state], 0);
      expect([sum('completed'), sum('failed'), sum('pending')]).toEqual([1, 1, 2]);
      expect(all.commands.ended.at(-1)).toMatchObject({ completed: 1, failed: 1, pending: 2 });
      expect(all.throughput.perMinute).toBeCloseTo(2 / 5);
      expect(all.latency.waitingMs?.p50).toBeGreaterThanOrEqual(0);
      // Neither said when it started.
      expect(all.latency.runningMs).toBeNull();
      expect(all.failedLately).toMatchObject([{ id: bad, clientName: 'here', status: 'failed', errorMessage: 'no paper' }]);
      expect(all.waiting).toMatchObject([{ clientName: 'away', status: 'offline', pending: 2 }]);
    });
    expect((await env.get(`/api/commands/${waits}`)).body).toMatchObject({ createdAt: (await overview()).waiting[0]?.oldestAt });

    // By when it ended, whenever it was created: of 24 spans of five minutes the seventh.
    await env.sql(`UPDATE commands SET completed_at = now() - interval '88 minutes' WHERE id = $1`, [good]);
    await eventually(async () => expect((await overview()).commands.ended[6]).toMatchObject({ completed: 1, failed: 0 }));

    const logIn = await request(env.url).post('/api/auth/login').send({ email: 'near@example.com', password: 'violet kettle drum' }).expect(200);
    const confined = await overview((logIn.body as { accessToken: string }).accessToken);
    expect(confined.clients).toEqual({ online: 1, offline: 0 });
    expect(confined.commands.byState.pending).toBe(0);
    expect(confined.failedLately.map(({ id }) => id)).toEqual([bad]);
    expect(confined.waiting).toEqual([]);
  });

  it('says that nothing ended when nothing did, and takes no senseless span of time', async () => {
    const empty = await TestEnvironment.create();
    const { body } = await empty.get('/api/overview').expect(200);
    expect(body).toMatchObject({ latency: { waitingMs: null, runningMs: null }, throughput: { perMinute: 0 }, failedLately: [], waiting: [] });
    const { body: problem } = await empty.get('/api/overview?hours=1000').expect(400);
    expect(problem).toMatchObject({ errors: [{ path: 'hours' }] });
    await empty.destroy();
  });
});

describe('the state of the system', () => {
  let env: TestEnvironment;
  let redis: TcpProxy;
  beforeAll(async () => {
    env = await TestEnvironment.create({}, async ({ redisUrl }) => {
      redis = await TcpProxy.create(redisUrl);
      return { REDIS_URL: Object.assign(new URL(redisUrl), { host: new URL(redis.url).host }).toString() };
    });
  });
  afterAll(async () => {
    redis.mend();
    await env.destroy();
    await redis.close();
  });

  const system = async (): Promise<SystemView> => (await env.get('/api/system').expect(200)).body as SystemView;

  it('names its parts, queues, gateways and versions', async () => {
    const client = await env.client('shown');
    await env.connect(client);
    await eventually(async () => {
      const { parts, queues, gateways, agents } = await system();
      expect(parts.map(({ name, status }) => [name, status])).toEqual([['postgresql', 'up'], ['redis', 'up'], ['audit', 'up']]);
      expect(parts[0]?.version).toMatch(/^\d+/);
      expect(queues.map(({ name }) => name).sort()).toEqual(['alert-deliveries', 'audit-exports', 'dispatch']);
      expect(queues.every(({ counts }) => counts?.failed === 0)).toBe(true);
      expect(gateways).toMatchObject([{ pid: process.pid, agents: 1, streams: 1 }]);
      expect(agents).toEqual([{ version: null, count: 1 }]);
    });
  });

  it('lists failed jobs, and runs one again, which is recorded', async () => {
    const queue = env.app.get<Queue>(getQueueToken('audit-exports'), { strict: false });
    const job = await queue.add('no such task', {}, { attempts: 1 });
    const failed = async (): Promise<{ id: string; reason: string }[]> =>
      ((await env.get('/api/system/queues/audit-exports/failed').expect(200)).body as { items: { id: string; reason: string }[] }).items;
    await eventually(async () => expect((await failed()).map(({ id }) => id)).toEqual([String(job.id)]));
    expect((await failed())[0]?.reason).toMatch(/no such task/);
    await env.post(`/api/system/queues/audit-exports/failed/${job.id}/retry`).expect(204);
    await eventually(async () => expect((await failed())[0]).toMatchObject({ id: String(job.id) }));
    const { body } = await env.get('/api/audit?action=system.retry_job').expect(200);
    expect((body as { items: object[] }).items).toMatchObject([{ target: { type: 'job', id: `audit-exports/${job.id}` } }]);
    await env.post('/api/system/queues/audit-exports/failed/unknown/retry').expect(404);
    await env.get('/api/system/queues/unknown/failed').expect(404);
  });

  it('answers while Redis is away, and says so', async () => {
    redis.cut();
    await eventually(async () => {
      const { parts, queues } = await system();
      expect(parts.map(({ name, status }) => [name, status])).toEqual([['postgresql', 'up'], ['redis', 'down'], ['audit', 'up']]);
      expect(queues.every(({ counts }) => counts === null)).toBe(true);
    });
    redis.mend();
    await eventually(async () => expect((await system()).parts[1]?.status).toBe('up'));
  });
});
