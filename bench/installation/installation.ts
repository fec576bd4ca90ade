import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { Client } from 'pg';
import { type RunningPostgres, startPostgres } from '../../tools/servers/postgres';
import type { RunningServer } from '../../tools/servers/process';
import { startRedis } from '../../tools/servers/redis';
import { ROOT } from '../../tools/start/folder';
import { ApiProcess } from './api-process';

const EMAIL = 'admin@example.com';

/** PostgreSQL with its default durability, Redis and the built server, in a folder of their own that goes when they stop. */
export class Installation {
  private readonly password = randomBytes(18).toString('base64url');
  private running?: ApiProcess;
  private connection?: Client;

  private constructor(
    readonly folder: string,
    readonly postgres: RunningPostgres,
    readonly redis: RunningServer,
  ) {}

  /** The server has been started once and stopped: its tables and its administrator are in the database that all others are copied from. */
  static async start(say: (line: string) => void): Promise<Installation> {
    // On the disk of the project: a temporary folder may be memory, where a commit costs nothing.
    const parent = join(ROOT, '.gwanje', 'bench');
    mkdirSync(parent, { recursive: true });
    const folder = mkdtempSync(join(parent, 'servers-'));
    // As root the database runs as `nobody`, who has to pass through here.
    chmodSync(folder, 0o711);
    const started: RunningServer[] = [];
    try {
      const postgres = await startPostgres(join(folder, 'postgres'), say);
      started.push(postgres);
      const redis = await startRedis(join(folder, 'redis'), say);
      started.push(redis);
      if (redis.kind === 'emulated') say('There is no Redis on this machine: its emulation is measured in its place.');
      const installation = new Installation(folder, postgres, redis);
      await requireDurability(postgres.url);
      installation.running = await installation.startApi(postgres.url);
      await installation.stopApi();
      return installation;
    } catch (error) {
      await Promise.allSettled(started.map((server) => server.stop()));
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  get api(): ApiProcess {
    if (!this.running) throw new Error('the server is not started');
    return this.running;
  }

  /** NaN of an emulation, which lives in this process. */
  get redisPid(): number {
    const file = join(this.folder, 'redis', 'redis.pid');
    return existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : NaN;
  }

  /** The database of the server that runs now. */
  get database(): Client {
    if (!this.connection) throw new Error('the server is not started');
    return this.connection;
  }

  /** Leaves PostgreSQL as it is long after the last write: what was stored costs nothing any more but its being there. */
  async rest(): Promise<void> {
    await this.database.query('VACUUM (ANALYZE)');
    await this.database.query('CHECKPOINT');
  }

  /** A server on a new database and an empty Redis, in the place of the one before: what one scenario leaves behind slows no other. */
  async startFresh(name: string): Promise<void> {
    await this.stopApi();
    const redis = new Redis(this.redis.url);
    await redis.flushall();
    redis.disconnect();
    await this.dropCopies();
    const url = await this.copyTemplate(name);
    this.connection = new Client({ connectionString: url });
    await this.connection.connect();
    this.running = await this.startApi(url);
  }

  /** A fresh access token: it lives for ten minutes. */
  async logIn(): Promise<string> {
    const answer = await fetch(`${this.api.url}/api/auth/login`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ email: EMAIL, password: this.password }),
    });
    if (!answer.ok) throw new Error(`log-in answered ${answer.status}`);
    return ((await answer.json()) as { accessToken: string }).accessToken;
  }

  /** Another database of the same PostgreSQL, with the server's tables and its administrator. */
  async copyTemplate(name: string): Promise<string> {
    const copy = `${this.template}_${name.replaceAll('-', '_')}`;
    await this.administer(
      `DROP DATABASE IF EXISTS ${copy} WITH (FORCE)`,
      `CREATE DATABASE ${copy} TEMPLATE ${this.template}`,
    );
    return databaseOf(this.postgres.url, copy);
  }

  async stop(): Promise<void> {
    await this.stopApi();
    await this.redis.stop();
    await this.postgres.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  kill(): void {
    this.redis.kill();
    this.postgres.kill();
  }

  /** What a scenario wrote and removed, PostgreSQL would tidy up while the next one is measured. */
  private async dropCopies(): Promise<void> {
    const copies = await this.administer(
      `SELECT datname AS name FROM pg_database WHERE starts_with(datname, '${this.template}_')`,
    );
    await this.administer(...copies.map(({ name }) => `DROP DATABASE ${name} WITH (FORCE)`));
  }

  private get template(): string {
    return new URL(this.postgres.url).pathname.slice(1);
  }

  /** Statements that no database takes on itself, one after the other; answers the rows of the last. */
  private async administer(...statements: string[]): Promise<{ name: string }[]> {
    const administrator = new Client({ connectionString: databaseOf(this.postgres.url, 'postgres') });
    await administrator.connect();
    try {
      let rows: { name: string }[] = [];
      for (const statement of statements) ({ rows } = await administrator.query<{ name: string }>(statement));
      return rows;
    } finally {
      await administrator.end();
    }
  }

  private startApi(databaseUrl: string): Promise<ApiProcess> {
    return ApiProcess.start(this.folder, {
      DATABASE_URL: databaseUrl,
      REDIS_URL: this.redis.url,
      ADMIN_EMAIL: EMAIL,
      ADMIN_PASSWORD: this.password,
    });
  }

  private async stopApi(): Promise<void> {
    await this.running?.stop();
    this.running = undefined;
    await this.connection?.end();
    this.connection = undefined;
  }
}

function databaseOf(server: string, name: string): string {
  const url = new URL(server);
  url.pathname = `/${name}`;
  return url.href;
}

/** A PostgreSQL that may forget what it has confirmed would win every race. */
async function requireDurability(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ name: string }>(
    `SELECT name FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting <> 'on'`,
  );
  await client.end();
  if (rows.length > 0)
    throw new Error(`PostgreSQL is not durable here: ${rows.map(({ name }) => name).join(', ')} off`);
}
