import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { generateSync } from 'otplib';
import request from 'supertest';
import { loadConfig } from '../src/core/config/config';
import { SEALED_COLUMNS } from '../src/core/crypto/sealed-columns';
import { tendSecrets } from '../src/secrets';
import { createDatabase, dropDatabase, eventually, query, TestEnvironment } from './support/environment';
import type { FakeAgent } from './support/fake-agent';
import { redisOfThisWorker } from './support/redis-of-this-worker';

/** Columns of bytes that are no secrets to open again. */
const HASHES = [
  'audit_seals.leaf', 'client_keys.key_hash', 'enrolment_tokens.token_hash', 'idempotency_keys.body_hash', 'login_failures.key',
  'personal_access_tokens.token_hash', 'recovery_codes.hash', 'refresh_secrets.hash',
];

const ROOT = resolve(__dirname, '../../..');
const MAIN = [join(ROOT, 'tools/jest/run-from-source.cjs'), join(ROOT, 'apps/api/src/main.ts')];
/** How a server that cannot start ends. */
const endOf = (settings: Record<string, string>): Promise<{ code: unknown; said: string }> =>
  new Promise((done) => {
    const env = { PATH: process.env['PATH'], REDIS_URL: redisOfThisWorker(), HOST: '127.0.0.1', PORT: '0', ...settings };
    execFile(process.execPath, MAIN, { env, timeout: 60_000 }, (error, _, said) => done({ code: error?.code, said }));
  });
const KIM = { email: 'kim@example.com', password: 'violet kettle drum' };
const key = (number: number): string => `${number}:${randomBytes(32).toString('base64')}`;
const canary = (): string => `canary${randomUUID().replaceAll('-', '')}`;
const file = (content: string): object => ({ action: 'file_put', payload: { path: '/tmp/x', content } });

jest.setTimeout(90_000);

describe('secrets at rest', () => {
  const environments: TestEnvironment[] = [];
  const agents: FakeAgent[] = [];
  let databaseUrl: string;
  let jwtSecret: string;
  beforeEach(async () => {
    databaseUrl = await createDatabase();
    jwtSecret = randomUUID() + randomUUID();
  });
  afterEach(async () => {
    agents.splice(0).forEach((agent) => agent.disconnect());
    for (const env of environments.splice(0)) await stop(env);
    await dropDatabase(databaseUrl);
  });

  const stop = async (env: TestEnvironment): Promise<void> => {
    if (environments.includes(env)) environments.splice(environments.indexOf(env), 1);
    await env.stopServer();
    rmSync(env.artifacts, { recursive: true, force: true });
  };
  const settings = (keys: string[] = [], secret = jwtSecret): Record<string, string> => ({ DATABASE_URL: databaseUrl, JWT_SECRET: secret, SECRETS_KEYS: keys.join() });
  /** A server with these keys, beside those that run already. */
  const server = async (keys: string[] = [], secret = jwtSecret): Promise<TestEnvironment> => {
    const env = await TestEnvironment.create(settings(keys, secret));
    environments.push(env);
    return env;
  };
  const connect = async (env: TestEnvironment, client: { id: string; clientKey: string }): Promise<FakeAgent> => {
    const agent = await env.connect(client);
    agents.push(agent);
    return agent;
  };
  const tend = async (keys: string[], args: string[] = [], secret = jwtSecret): Promise<{ isDone: boolean; said: string }> => {
    const lines: string[] = [];
    const config = loadConfig({ ...settings(keys, secret), REDIS_URL: 'redis://localhost' });
    return { isDone: await tendSecrets(config, args, (line) => lines.push(line)), said: lines.join('\n') };
  };
  /** Somebody with a second factor; answers its secret. */
  const enrol = async (env: TestEnvironment): Promise<string> => {
    await env.post('/api/users', { ...KIM, name: 'Kim', roles: ['operator'] }).expect(201);
    const { accessToken } = (await request(env.url).post('/api/auth/login').send(KIM).expect(200)).body as { accessToken: string };
    const asKim = (path: string, body: object = {}): request.Test => request(env.url).post(path).set('Authorization', `Bearer ${accessToken}`).send(body);
    const { secret } = (await asKim('/api/auth/second-factor').expect(201)).body as { secret: string };
    await asKim('/api/auth/second-factor/confirm', { otp: generateSync({ secret }) }).expect(200);
    return secret;
  };
  const logsIn = async (env: TestEnvironment, secret: string): Promise<boolean> => {
    // Codes are taken once; this stands for the half minutes until the next.
    await env.sql('UPDATE second_factors SET last_step = last_step - 10');
    const { status } = await request(env.url).post('/api/auth/login').send({ ...KIM, otp: generateSync({ secret }) });
    return status === 200;
  };
  const contents = (received: { payload: Record<string, unknown> }[]): unknown[] => received.map(({ payload }) => payload['content']);
  /** Everything that a dump of the database has, as text and with its bytes read as text. */
  const dump = async (): Promise<string> => {
    const tables = await query<{ name: string }>(databaseUrl, `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`);
    const rows = await Promise.all(tables.map(({ name }) => query<{ text: string }>(databaseUrl, `SELECT t::text AS text FROM ${name} t`)));
    const text = rows.flat().map((row) => row.text).join('\n');
    return text + Array.from(text.matchAll(/\\x([0-9a-f]+)/g), ([, hex]) => Buffer.from(hex ?? '', 'hex').toString('latin1')).join('\n');
  };

  it('are nowhere in a dump of the database, and reach the agent whole', async () => {
    const env = await server();
    const client = await env.client('till', { groups: ['shop'] });
    const agent = await connect(env, client);
    const login = { name: 'log_in', schema: { type: 'object', properties: { user: { type: 'string' }, account: { type: 'object', properties: { word: { writeOnly: true } } } } } };
    expect(await agent.post('/api/agents/session', { version: '1', platform: 'x', actions: [login], inFlight: [] })).toBe(200);
    const [alone, batch, nested, shown] = [canary(), canary(), canary(), canary()];
    const one = await env.command(client.id, file(alone));
    await env.post('/api/commands/batch', { targets: { groups: ['shop'] }, ...file(batch) }).expect(201);
    await env.command(client.id, { action: 'log_in', payload: { user: shown, account: { word: nested } } });
    await eventually(() => expect(agent.received).toHaveLength(3));
    // Those that run side by side may arrive in any order.
    const payloads = agent.received.map(({ payload }) => payload);
    expect(payloads).toEqual(expect.arrayContaining([
      { path: '/tmp/x', content: alone }, { path: '/tmp/x', content: batch }, { user: shown, account: { word: nested } },
    ]));
    expect((await env.get(`/api/commands/${one}`).expect(200)).body).toMatchObject({ payload: { path: '/tmp/x', content: '[redacted]' } });
    const otp = await enrol(env);
    const everything = await dump();
    expect(everything).toContain(shown);
    for (const secret of [alone, batch, nested, otp]) expect(everything).not.toContain(secret);
  });

  it('are in the list by which keys are changed, with every column of bytes that is no hash', async () => {
    await server();
    const columns = await query<{ name: string }>(
      databaseUrl, `SELECT table_name || '.' || column_name AS name FROM information_schema.columns WHERE table_schema = 'public' AND data_type = 'bytea'`,
    );
    expect(columns.map(({ name }) => name).sort()).toEqual([...HASHES, ...SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`)].sort());
  });

  it('go over to a new key while two servers run, with nothing lost', async () => {
    const [older, fresh] = [await server(), [key(2)]];
    const otp = await enrol(older);
    const [one, other] = [await older.client('one'), await older.client('other')];
    const [before, during] = [canary(), canary()];
    const early = await older.command(one.id, file(before));

    // The second knows the new key already, the first does not yet.
    const newer = await server(fresh);
    const first = await connect(newer, one);
    await eventually(() => expect(contents(first.received)).toEqual([before]));
    expect(await logsIn(newer, otp)).toBe(true);
    const second = await connect(older, other);
    const late = await newer.command(other.id, file(during));
    await older.reaches(late, 'dispatched');
    const plain = await newer.command(other.id);
    await eventually(() => expect(second.received.map(({ id }) => id)).toEqual([plain]));
    expect(await first.post(`/api/commands/${early}/result`, { success: false, error: 'the disk is full' })).toBe(200);

    // What the first could not open waits for its successor.
    await stop(older);
    const again = await connect(await server(fresh), other);
    await eventually(() => expect(again.received.find(({ id }) => id === late)?.payload['content']).toBe(during));
    expect(await again.post(`/api/commands/${late}/result`, { success: true })).toBe(200);

    expect(await tend(fresh)).toEqual({ isDone: false, said: expect.stringContaining('second_factors: 1 under key 1, made of JWT_SECRET') });
    const [a, b] = await Promise.all([tend(fresh, ['--reseal']), tend(fresh, ['--reseal'])]);
    expect([a.isDone, b.isDone]).toEqual([true, true]);
    expect((await tend(fresh)).said).toBe('second_factors: 1 under key 2\ncommands: 2 under key 2\nNothing needs another key than 2.');

    // Nothing needs the old key any more: not a log-in, and not a retry.
    const without = await server(fresh, randomUUID() + randomUUID());
    expect(await logsIn(without, otp)).toBe(true);
    const last = await connect(without, one);
    await without.post(`/api/commands/${early}/retry`).expect(200);
    await eventually(() => expect(last.received).toMatchObject([{ id: early, attempt: 2, payload: { content: before } }]));
  });

  it.each([
    ['JWT_SECRET is another', [], [], 'another', 'second_factors: sealed under a key that was made of another JWT_SECRET'],
    ['a key was taken away', [key(7)], [], 'same', 'second_factors: sealed under key 7, and SECRETS_KEYS has no such key'],
    ['a key is another', [key(7)], [key(7)], 'same', 'commands: sealed under key 7, and SECRETS_KEYS has another key of that number'],
  ])('keep a server from starting, and stay as they are, when %s', async (_, before, after, secret, fault) => {
    const env = await server(before);
    const otp = await enrol(env);
    const till = await env.client('till');
    const id = await env.command(till.id, file(canary()));
    const sealed = (): Promise<unknown[]> => query(databaseUrl, 'SELECT secret, sealed_secrets FROM second_factors, commands');
    const kept = await sealed();
    const wrong = secret === 'same' ? jwtSecret : randomUUID() + randomUUID();
    expect(await endOf(settings(after, wrong))).toEqual({ code: 1, said: expect.stringContaining(fault) });
    await expect(tend(after, ['--reseal'], wrong)).rejects.toThrow(fault);
    expect(await sealed()).toEqual(kept);
    expect(await logsIn(env, otp)).toBe(true);

    // Lost for good, and given up: the server starts, lets nobody in without the factor, and hands out no command without its secret.
    expect(await tend(after, ['--forget-lost'], wrong)).toEqual({ isDone: true, said: expect.stringContaining('2 given up') });
    await stop(env);
    const next = await server(after, wrong);
    expect(await logsIn(next, otp)).toBe(false);
    const agent = await connect(next, till);
    const plain = await next.command('till');
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([plain]));
    expect((await next.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'dispatched', payload: { content: '[redacted]' } });
  });

  it('are sealed where an early version left them in clear, and read there until then', async () => {
    const env = await server();
    const client = await env.client('till');
    const secret = canary();
    const id = await env.command(client.id, file('x'));
    await env.sql(`UPDATE commands SET payload = payload || jsonb_build_object('content', $1::text), sealed_secrets = NULL`, [secret]);
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ payload: { content: '[redacted]' } });
    expect(await tend([])).toMatchObject({ isDone: false, said: expect.stringContaining('commands: 1 in clear') });
    const agent = await connect(env, client);
    await eventually(() => expect(contents(agent.received)).toEqual([secret]));
    expect(await tend([], ['--reseal'])).toMatchObject({ isDone: true });
    expect(await dump()).not.toContain(secret);
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ payload: { path: '/tmp/x', content: '[redacted]' } });
    agent.disconnect();
    const again = await connect(env, client);
    await eventually(() => expect(contents(again.received)).toEqual([secret]));
  });
});
