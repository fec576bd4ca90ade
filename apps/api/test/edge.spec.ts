import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Redis from 'ioredis';
import { Client } from 'pg';
import request from 'supertest';
import type { TLSSocket } from 'node:tls';
import { RateLimits } from '../src/core/access/rate-limits';
import { loadConfig } from '../src/core/config/config';
import { createServer } from '../src/server';
import { certify } from './support/certificate';
import { ADMIN, eventually, TestEnvironment } from './support/environment';
import { describeWith } from './support/programs';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { TcpProxy } from './support/tcp-proxy';

describeWith('openssl', { programs: ['openssl'] })('the server’s own TLS', () => {
  let folder: string;
  let env: TestEnvironment;
  const [cert, key] = ['server.crt', 'server.key'];
  const renew = (): string => {
    const made = certify(folder, 'localhost');
    copyFileSync(made.cert, join(folder, cert));
    copyFileSync(made.key, join(folder, key));
    return readFileSync(made.cert, 'utf8');
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-tls-'));
    renew();
    env = await TestEnvironment.create({ TLS_CERT: join(folder, cert), TLS_KEY: join(folder, key) });
  });
  afterAll(async () => {
    await env.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Trusts no other certificate. */
  const shown = (ca: string): Promise<{ status: number; fingerprint: string; hsts: unknown }> =>
    new Promise((resolve, reject) => {
      get(`${env.url}/health/live`, { ca, agent: false }, (answer) => {
        const { fingerprint256 } = (answer.socket as TLSSocket).getPeerCertificate();
        answer.resume();
        resolve({ status: answer.statusCode ?? 0, fingerprint: fingerprint256, hsts: answer.headers['strict-transport-security'] });
      }).on('error', reject);
    });

  it('shows the certificate, and a new one without a restart as soon as it fits its key', async () => {
    const first = await shown(readFileSync(join(folder, cert), 'utf8'));
    expect(first).toMatchObject({ status: 200, hsts: 'max-age=31536000' });
    writeFileSync(join(folder, key), 'not a key');
    const broken = await shown(readFileSync(join(folder, cert), 'utf8'));
    expect(broken.fingerprint).toBe(first.fingerprint);
    const renewed = renew();
    await eventually(async () => expect((await shown(renewed)).fingerprint).not.toBe(first.fingerprint));
  });

  it('does not start with half of it, or with files that are no pair', async () => {
    const base = { DATABASE_URL: env.databaseUrl, REDIS_URL: env.redisUrl, JWT_SECRET: 'x'.repeat(32) };
    expect(() => loadConfig({ ...base, TLS_CERT: 'x' })).toThrow('TLS_KEY must be set');
    const other = certify(folder, 'localhost');
    await expect(createServer(loadConfig({ ...base, TLS_CERT: other.cert, TLS_KEY: join(folder, key) }), false)).rejects.toThrow('do not make a pair');
    await expect(createServer(loadConfig({ ...base, TLS_CERT: join(folder, 'none'), TLS_KEY: other.key }), false)).rejects.toThrow('TLS_CERT cannot be read');
  });
});

describe('calls from other origins', () => {
  let env: TestEnvironment;
  const console = 'https://console.example.com';
  beforeAll(async () => (env = await TestEnvironment.create({ CORS_ORIGINS: `${console},https://other.example.com` })));
  afterAll(() => env.destroy());

  const preflight = (origin: string): request.Test =>
    request(env.url).options('/api/clients').set({ Origin: origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' });

  it('are let in from those that are named, and without cookies', async () => {
    const { headers } = await preflight(console).expect(204);
    expect(headers).toMatchObject({ 'access-control-allow-origin': console, 'access-control-allow-headers': expect.stringMatching(/authorization/i) as string });
    expect(headers['access-control-allow-credentials']).toBeUndefined();
    const { headers: answer } = await env.get('/api/clients').set('Origin', console).expect(200);
    expect(answer).toMatchObject({ 'access-control-allow-origin': console, 'access-control-expose-headers': expect.stringContaining('X-Request-Id') as string });
    const stream = await fetch(`${env.url}/api/events`, { headers: { Origin: console, Authorization: `Bearer ${env.token}` } });
    expect(Object.fromEntries(stream.headers)).toMatchObject({
      'access-control-allow-origin': console, 'cache-control': 'no-cache, no-transform', 'x-request-id': expect.stringMatching(/./) as string,
    });
    await stream.body?.cancel();
  });

  it('log nobody in by a form, which a browser sends for any site as a text', async () => {
    const logIn = (): request.Test => request(env.url).post('/api/auth/login').set('Content-Type', 'text/plain');
    const form = JSON.stringify(ADMIN);
    for (const origin of ['https://evil.example.com', 'null']) {
      const refused = await logIn().set('Origin', origin).send(form).expect(415);
      expect(refused.headers['set-cookie']).toBeUndefined();
    }
    await logIn().send(form).expect(200);
  });

  it('are not let in from others', async () => {
    const { headers } = await preflight('https://evil.example.com');
    expect(headers['access-control-allow-origin']).toBeUndefined();
    const strict = await TestEnvironment.create();
    const { headers: answer } = await strict.get('/api/clients').set('Origin', console).expect(200);
    expect(answer['access-control-allow-origin']).toBeUndefined();
    expect(answer).toMatchObject({ 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'referrer-policy': 'no-referrer' });
    await strict.destroy();
  });
});

describe('limits on the number of calls', () => {
  let env: TestEnvironment;
  let redis: TcpProxy;
  beforeEach(async () => {
    // Whatever ran before in this worker called from this address too, and in the same minute.
    const counters = new Redis(redisOfThisWorker());
    await counters.flushall();
    counters.disconnect();
    env = await TestEnvironment.create({ RATE_LIMIT_CALLER: '60', RATE_LIMIT_ADDRESS: '30' }, async ({ redisUrl }) => {
      redis = await TcpProxy.create(redisUrl);
      return { REDIS_URL: Object.assign(new URL(redisUrl), { host: new URL(redis.url).host }).toString() };
    });
  });
  afterEach(async () => {
    redis.mend();
    await env.destroy();
    await redis.close();
  });
  const until = async (status: number, most: number, call: () => request.Test): Promise<request.Response> => {
    for (let n = 0; n < most; n++) {
      const answer = await call();
      if (answer.status === status) return answer;
    }
    throw new Error(`never answered ${status} in ${most} calls`);
  };

  it('hold for each caller by themselves, with Redis and without', async () => {
    const client = await env.client('machine');
    const refused = await until(429, 61, () => env.get('/api/clients'));
    expect(refused.body).toMatchObject({ code: 'too_many_attempts' });
    const seconds = Number(refused.headers['retry-after']);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    // Somebody else is not meant, nor is a machine.
    const agent = (): request.Test => request(env.url).post('/api/agents/session').set('Authorization', `Bearer ${client.clientKey}`).send({ version: '1', platform: 'x', actions: [], inFlight: [] });
    await agent().expect(200);
    redis.cut();
    await until(429, 62, agent);
  });

  it('hold for an address from which nobody is known, whatever it tries', async () => {
    const tries = [
      () => request(env.url).get('/api/clients').set('Authorization', 'Bearer gwj_unknown'),
      () => request(env.url).get('/api/clients'),
      () => request(env.url).post('/api/enrol').send({ token: 'x', name: 'x', platform: 'x' }),
    ];
    let n = 0;
    await until(429, 31, () => (tries[n++ % tries.length] as () => request.Test)());
    // Who is known goes on, and so does whoever looks whether the server lives.
    await env.get('/api/clients').expect(200);
    await request(env.url).get('/health/live').expect(200);
  });

  it('hold for a whole network of IPv6 addresses, of which one machine has as many as it likes', async () => {
    const proxied = await TestEnvironment.create({ RATE_LIMIT_ADDRESS: '30', TRUST_PROXY: '127.0.0.1' });
    const from = (address: string): request.Test => request(proxied.url).get('/api/clients').set('X-Forwarded-For', address);
    let n = 0;
    await until(429, 31, () => from(`2001:db8:1:2::${(++n).toString(16)}`));
    await from('2001:db8:1:3::1').expect(401);
    await proxied.destroy();
  });
});

it('a limit counts each call of a crowd once', async () => {
  const env = await TestEnvironment.create({ RATE_LIMIT_CALLER: '6000' });
  const limits = env.app.get(RateLimits);
  const call = async (): Promise<void> => limits.spend('caller', 'a crowd');
  await Promise.all(Array.from({ length: 6_000 }, call));
  await expect(call()).rejects.toThrow('More than 6000 calls');
  await env.destroy();
});

describe('a caller who waits for something that does not come', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create({ ANSWER_MS: '3000', DB_HOT_QUERY_MS: '60000' })));
  afterAll(() => env.destroy());

  it('is told so, finds what came of it by the same key, and a stream goes on', async () => {
    const client = await env.client('held');
    const agent = await env.connect(client);
    const body = { clientId: client.id, action: 'noop', payload: {} };
    const create = (): request.Test => env.post('/api/commands', body).set('Idempotency-Key', 'held');
    const holder = new Client({ connectionString: env.databaseUrl });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM clients WHERE id = $1 FOR UPDATE', [client.id]);
    const answer = await create();
    expect([answer.status, answer.headers['retry-after'], answer.headers['content-type'], (answer.body as { code: string }).code]).toEqual([
      503, '2', expect.stringContaining('application/problem+json'), 'no_answer_in_time',
    ]);
    await holder.query('COMMIT');
    await holder.end();
    let id = '';
    await eventually(async () => {
      ({ id } = (await create().expect(201)).body as { id: string });
    });
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([id]));
    expect(await env.sql('SELECT count(*)::integer AS count FROM commands')).toEqual([{ count: 1 }]);
    expect(agent.closed).toBe(false);
  });
});
