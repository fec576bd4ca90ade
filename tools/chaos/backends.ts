import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { type RunningPostgres, startPostgres } from '../servers/postgres';
import { type RunningRedis, startRedis } from '../servers/redis';
import { ROOT } from '../start/folder';
import { withClient } from './witnesses';

/** A durable PostgreSQL and a real Redis in a folder of their own; both can be ended and started again under the feet of the servers. */
export class Backends {
  private constructor(
    readonly folder: string,
    public postgres: RunningPostgres,
    public redis: RunningRedis,
  ) {}

  static async start(): Promise<Backends> {
    // On the disk of the project: a temporary folder may be memory, where a commit costs nothing.
    const parent = join(ROOT, '.gwanje', 'chaos');
    mkdirSync(parent, { recursive: true });
    const folder = mkdtempSync(join(parent, 'run-'));
    // As root the database runs as `nobody`, who has to pass through here.
    chmodSync(folder, 0o711);
    const postgres = await startPostgres(join(folder, 'postgres'));
    try {
      const redis = await startRedis(join(folder, 'redis'));
      if (redis.kind !== 'redis') throw new Error('the harness needs a real Redis');
      return new Backends(folder, postgres, redis);
    } catch (error) {
      await postgres.stop();
      throw error;
    }
  }

  /** A database of its own, empty; answers its name. */
  async createDatabase(): Promise<string> {
    const name = `chaos_${randomUUID().replaceAll('-', '')}`;
    await withClient(this.postgres.url, (client) => client.query(`CREATE DATABASE ${name}`));
    return name;
  }

  /** The address of a database on this PostgreSQL, directly or by another port. */
  databaseUrl(name: string, port = this.postgres.port): string {
    const url = new URL(this.postgres.url);
    url.pathname = `/${name}`;
    url.port = `${port}`;
    return url.href;
  }

  /** The immediate shutdown, as after a crash of the machine's database, and a start that has to recover. */
  async crashPostgres(): Promise<void> {
    this.postgres.kill();
    await this.postgres.gone;
    this.postgres = await startPostgres(join(this.folder, 'postgres'));
  }

  async killRedis(): Promise<void> {
    this.redis.kill();
    await this.redis.gone;
  }

  async startRedis(): Promise<void> {
    this.redis = await startRedis(join(this.folder, 'redis'));
  }

  /** Talks to Redis directly. */
  async withRedis<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
    const redis = new Redis(this.redis.url, { maxRetriesPerRequest: 1 });
    redis.on('error', () => undefined);
    try {
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  }

  async stop(keepFolder = false): Promise<void> {
    await Promise.allSettled([this.redis.stop(), this.postgres.stop()]);
    if (!keepFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}
