import { join } from 'node:path';
import { startPostgres } from '../servers/postgres';
import { messageOf, sleep } from '../servers/process';
import { type RunningRedis, startRedis } from '../servers/redis';
import type { Launcher } from './launcher';

/** Starts what the settings do not name, and writes the addresses into `env`. */
export async function startServers(launcher: Launcher, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (env['DATABASE_URL']) launcher.say('PostgreSQL: the one of DATABASE_URL');
  else env['DATABASE_URL'] = await ownPostgres(launcher, join(folder, 'postgres'));
  if (env['REDIS_URL'] || env['REDIS_HOST'])
    return launcher.say(`Redis: the one of ${env['REDIS_URL'] ? 'REDIS_URL' : 'REDIS_HOST'}`);
  const redis = await ownRedis(launcher, join(folder, 'redis'));
  env['REDIS_URL'] = redis.url;
  // The emulation lacks a few commands: whoever connects can go around them.
  if (redis.kind === 'emulated') env['REDIS_EMULATED'] = '1';
}

/** It holds the truth: when it ends, everything is stopped. */
async function ownPostgres(launcher: Launcher, folder: string): Promise<string> {
  const start = (): ReturnType<typeof startPostgres> => startPostgres(folder, (line) => launcher.say(line));
  const postgres = await launcher.step('PostgreSQL: starting', () => launcher.own('PostgreSQL', start));
  launcher.say(`PostgreSQL: ready on port ${postgres.port}`);
  void postgres.gone.then(() => launcher.end(1, 'PostgreSQL ended by itself: stopping everything.'));
  return postgres.url;
}

/** It carries only news: when it ends, a new one takes its place, and nothing is lost meanwhile. */
async function ownRedis(launcher: Launcher, folder: string): Promise<RunningRedis> {
  const start = (port?: number): Promise<RunningRedis> =>
    launcher.own('Redis', () => startRedis(folder, (line) => launcher.say(line), { port, signal: launcher.signal }));
  const redis = await launcher.step('Redis: starting', () => start());
  launcher.say(`Redis: ready on port ${redis.port}`);
  const replace = async (): Promise<void> => {
    if (launcher.signal.aborted) return;
    launcher.say('Redis ended by itself: starting another one in its place');
    try {
      // One that cannot live is not started as fast as it dies.
      await sleep(1_000);
      void (await start(redis.port)).gone.then(replace);
    } catch (error) {
      if (!launcher.signal.aborted) launcher.say(`Redis: the server goes on without it (${messageOf(error)})`);
    }
  };
  void redis.gone.then(replace);
  return redis;
}
