import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres } from '../servers/postgres';
import type { RunningServer } from '../servers/process';
import { startRedis } from '../servers/redis';

declare global {
  var gwanjeServers: { servers: Pick<RunningServer, 'stop'>[]; folder: string } | undefined;
}

/** One PostgreSQL for all test files, and one Redis for each worker, which every file finds empty: files never see each other's news. */
export default async function setUp({ maxWorkers }: { maxWorkers: number }): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gwanje-test-'));
  // As root the database runs as `nobody`, who has to pass through here.
  chmodSync(folder, 0o711);
  const servers: RunningServer[] = [];
  try {
    const postgres = await startPostgres(join(folder, 'postgres'), undefined, { fast: true });
    servers.push(postgres);
    const urls: string[] = [];
    for (let worker = 1; worker <= Math.min(4, Math.max(1, maxWorkers)); worker++) {
      const redis = await startRedis(join(folder, `redis-${worker}`), console.log);
      servers.push(redis);
      urls.push(redis.url);
    }
    process.env['TEST_DATABASE_URL'] = postgres.url;
    process.env['TEST_REDIS_URLS'] = urls.join(',');
    globalThis.gwanjeServers = { servers, folder };
  } catch (error) {
    // What runs already would keep Jest from ending.
    await Promise.allSettled(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
