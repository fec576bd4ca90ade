import { DataSource } from 'typeorm';
import { HotDatabase } from '../src/core/database/hot-database';
import { eventually, TestEnvironment } from './support/environment';
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
});
