import 'reflect-metadata';
import Redis from 'ioredis';
import { createServer } from 'node:net';
import { Client } from 'pg';
import { type Config, loadConfig } from '../../apps/api/src/core/config/config';
import { PasswordsService } from '../../apps/api/src/identity/passwords.service';
import { codeOf, messageOf } from '../servers/process';

const PATIENCE_MS = 5_000;

/** Says what is wrong with the settings before anything is built or started; nothing that embedded servers will provide is missed. */
export async function checkSettings(env: NodeJS.ProcessEnv): Promise<void> {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  const config = loadConfig({
    DATABASE_URL: 'postgresql://embedded',
    JWT_SECRET: 'made up and kept by the launcher',
    ...(!given['REDIS_HOST'] && { REDIS_URL: 'redis://embedded' }),
    ...given,
  });
  if (config.ADMIN_PASSWORD) await new PasswordsService().hashNew(config.ADMIN_PASSWORD, 'ADMIN_PASSWORD');
  if (given['DATABASE_URL']) await reachDatabase(config);
  if (given['REDIS_URL'] || given['REDIS_HOST']) await reachRedis(config);
}

async function reachDatabase({ DATABASE_URL }: Config): Promise<void> {
  try {
    const client = new Client({ connectionString: DATABASE_URL, connectionTimeoutMillis: PATIENCE_MS });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('SELECT 1');
    } finally {
      await client.end().catch(() => undefined);
    }
  } catch (error) {
    throw new Error(`no PostgreSQL can be used at DATABASE_URL (${placeOf(DATABASE_URL)}): ${reasonOf(error)}`);
  }
}

async function reachRedis({ REDIS_URL }: Config): Promise<void> {
  let reason = '';
  const redis = new Redis(REDIS_URL, { lazyConnect: true, retryStrategy: null, connectTimeout: PATIENCE_MS });
  // What connect() throws says only that the connection is closed.
  redis.on('error', (error: unknown) => (reason ||= reasonOf(error)));
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    throw new Error(`no Redis can be used at ${placeOf(REDIS_URL)}: ${reason || reasonOf(error)}`);
  } finally {
    redis.disconnect();
  }
}

/** Where an address leads, without the password in it. */
function placeOf(address: string): string {
  try {
    const { host, pathname } = new URL(address);
    return host + pathname;
  } catch {
    return 'not a valid address';
  }
}

/** A name with several addresses fails with an empty message and a code. */
const reasonOf = (error: unknown): string => messageOf(error) || codeOf(error) || 'no reason given';

/** Says it before anything is started, instead of in the middle of the server's log. */
export async function requireFreePort(port: number): Promise<void> {
  for (const host of ['127.0.0.1', undefined]) {
    await new Promise<void>((resolve, reject) => {
      const server = createServer();
      server.once('error', (error) => reject(new Error(explain(error, port))));
      server.listen(port, host, () => server.close(() => resolve()));
    });
  }
}

function explain(error: Error, port: number): string {
  if (codeOf(error) === 'EADDRINUSE')
    return `port ${port} is in use: stop the other program, or choose another port with PORT=${port + 1} npm start`;
  if (codeOf(error) === 'EACCES') return `port ${port} is reserved for root: choose another one with PORT`;
  return messageOf(error);
}
