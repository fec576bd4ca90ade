import Redis from 'ioredis';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DataSource } from 'typeorm';
import { startRedis } from '../../../tools/servers/redis';
import { HotDatabase } from '../src/core/database/hot-database';
import { createDatabase, eventually, TestEnvironment } from './support/environment';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { ServerProcess } from './support/server-process';
import { TcpProxy } from './support/tcp-proxy';

describe('an orderly stop', () => {
  it('waits neither for PostgreSQL nor for Redis when they are gone without a word', async () => {
    const networks: TcpProxy[] = [];
    const env = await TestEnvironment.create({}, async ({ databaseUrl, redisUrl }) => {
      const [database, redis] = [await TcpProxy.create(databaseUrl), await TcpProxy.create(redisUrl)];
      networks.push(database, redis);
      const through = (url: string, { url: proxy }: TcpProxy): string => Object.assign(new URL(url), { host: new URL(proxy).host }).toString();
      return { DATABASE_URL: through(databaseUrl, database), REDIS_URL: through(redisUrl, redis) };
    });
    const agent = await env.connect(await env.client('connected'));
    const asked = [env.app.get(HotDatabase), env.app.get(DataSource)].map((pool) => pool.query('SELECT pg_sleep(600)').catch((error: Error) => error));
    await eventually(async () => expect(await env.sql(`SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()`)).toHaveLength(2));
    networks.forEach((network) => network.freeze());
    await env.stopServer();
    expect(await Promise.all(asked)).toEqual([expect.any(Error), expect.any(Error)]);
    await eventually(() => expect(agent.closed).toBe(true));
    agent.disconnect();
    await Promise.all(networks.map((network) => network.close()));
    await env.discard();
  }, 90_000);

  it('hears what Redis refuses, also when nobody waits for the answer', async () => {
    const args = [join('tools', 'jest', 'run-from-source.cjs'), join('apps', 'api', 'test', 'support', 'subscribe-and-leave.ts')];
    expect(await promisify(execFile)(process.execPath, args)).toMatchObject({ stdout: 'left\n' });
  });

  it.each(['subscribe', 'setname'])('is one while a queue still waits for the %s that it asked of Redis when it began', async (word) => {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-redis-'));
    const network = await TcpProxy.create(redisOfThisWorker());
    network.swallowFrom(`${word}\r\n`);
    const settings = { DATABASE_URL: await createDatabase(), REDIS_URL: network.url.replace('http', 'redis'), JWT_SECRET: randomUUID() + randomUUID() };
    const env = { PATH: process.env['PATH'], HOME: folder, AUDIT_KEY_FILE: join(folder, 'audit-key.pem'), ...settings };
    try {
      await promisify(execFile)(process.execPath, [join('tools', 'jest', 'run-from-source.cjs'), join('apps', 'api', 'test', 'support', 'stop-and-stay.ts')], { env });
    } finally {
      await network.close();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 90_000);

  it('is one while Redis, just back, has not yet answered what was asked for after the reconnection', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-redis-'));
    const redis = await startRedis(folder);
    const network = await TcpProxy.create(redis.url);
    const admin = new Redis(redis.url);
    const settings = { DATABASE_URL: await createDatabase(), REDIS_URL: network.url.replace('http', 'redis'), JWT_SECRET: randomUUID() + randomUUID() };
    const server = await ServerProcess.start({ ...settings, AUDIT_KEY_FILE: join(folder, 'audit-key.pem') });
    try {
      const before = network.open;
      await admin.client('PAUSE', 600_000, 'ALL');
      network.cut();
      await eventually(() => expect(network.open).toBe(0));
      network.mend();
      await eventually(() => expect(network.open).toBe(before));
      await server.stop();
      expect([server.exitCode, server.output]).toEqual([0, expect.not.stringContaining('Connection is closed')]);
    } finally {
      await server.kill();
      admin.disconnect();
      await network.close();
      await redis.stop();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
