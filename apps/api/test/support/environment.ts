import 'reflect-metadata';
import type { LoggerService } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Pool } from 'pg';
import request from 'supertest';
import { type Config, loadConfig } from '../../src/core/config/config';
import { prepareDatabase } from '../../src/core/database/owner';
import { createServer } from '../../src/server';
import { FakeAgent } from './fake-agent';
import { redisOfThisWorker } from './redis-of-this-worker';

export const ADMIN = { email: 'admin@example.com', password: 'correct horse battery' };

/** A running server on a database of its own, with an admin logged in. */
export class TestEnvironment {
  private readonly agents: FakeAgent[] = [];
  /** For the statements of the tests themselves: a connection of its own for each would cost more than most of them. */
  private readonly pool: Pool;

  private constructor(
    public app: NestFastifyApplication,
    private readonly config: Config,
    readonly url: string,
    readonly redisUrl: string,
    readonly databaseUrl: string,
    readonly artifacts: string,
    public token: string,
  ) {
    this.pool = new Pool({ connectionString: databaseUrl });
    // One that waits here may be ended by a test.
    this.pool.on('error', () => undefined);
  }

  /** `reroute` may put something between the server and its parts; the environment itself goes to them directly. */
  static async create(
    settings: Record<string, string> = {},
    reroute?: (urls: { databaseUrl: string; redisUrl: string }) => Promise<Record<string, string>>,
    logger: LoggerService | false = false,
  ): Promise<TestEnvironment> {
    // A database that the test made is the test's to drop.
    const databaseUrl = settings['DATABASE_URL'] ?? (await createDatabase({ prepared: true }));
    const redisUrl = redisOfThisWorker();
    const artifacts = mkdtempSync(join(tmpdir(), 'gwanje-artifacts-'));
    const config = loadConfig({
      DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, JWT_SECRET: randomUUID() + randomUUID(), ARTIFACTS_DIR: artifacts,
      ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password, SWEEP_MS: '100', DB_POOL_MIN: '0',
      AUDIT_KEY_FILE: join(artifacts, 'audit-key.pem'), AUDIT_SEAL_MS: '50', RATE_LIMIT_ADDRESS: '0', ...settings,
      ...(await reroute?.({ databaseUrl, redisUrl })),
    });
    const app = await createServer(config, logger);
    await app.listen(0, '127.0.0.1');
    const url = `${config.TLS_CERT ? 'https' : 'http'}://127.0.0.1:${(app.getHttpServer().address() as AddressInfo).port}`;
    const { body } = await request(url).post('/api/auth/login').disableTLSCerts().send(ADMIN).expect(200);
    return new TestEnvironment(app, config, url, redisUrl, databaseUrl, artifacts, (body as { accessToken: string }).accessToken);
  }

  get(path: string): request.Test {
    return request(this.url).get(path).set('Authorization', `Bearer ${this.token}`);
  }

  post(path: string, body: object = {}): request.Test {
    return request(this.url).post(path).set('Authorization', `Bearer ${this.token}`).send(body);
  }

  async client(name: string, settings: object = {}): Promise<{ id: string; clientKey: string }> {
    const { body } = await this.post('/api/clients', { name, ...settings }).expect(201);
    return body as { id: string; clientKey: string };
  }

  async connect(client: { id: string; clientKey: string }): Promise<FakeAgent> {
    const agent = new FakeAgent(this.url, client.id, client.clientKey);
    this.agents.push(agent);
    await agent.connect();
    return agent;
  }

  /** Creates a command and answers its id. */
  async command(clientId: string, settings: object = {}): Promise<string> {
    const { body } = await this.post('/api/commands', { clientId, action: 'noop', payload: {}, ...settings }).expect(201);
    return (body as { id: string }).id;
  }

  /** Waits until the command is in this state. */
  async reaches(id: string, status: string, withinMs?: number): Promise<Record<string, unknown>> {
    let command: Record<string, unknown> = {};
    await eventually(async () => {
      command = (await this.get(`/api/commands/${id}`).expect(200)).body as Record<string, unknown>;
      if (command['status'] !== status) throw new Error(`is ${String(command['status'])}, not ${status}`);
    }, withinMs);
    return command;
  }

  async sql<T>(text: string, values: unknown[] = []): Promise<T[]> {
    return (await this.pool.query(text, values)).rows as T[];
  }

  stopServer(): Promise<void> {
    return this.app.close();
  }

  /** On the same port and database as before. */
  async startServer(): Promise<void> {
    this.app = await createServer(this.config, false);
    await this.app.listen(new URL(this.url).port, '127.0.0.1');
  }

  async destroy(foreseen = { deadlocks: 0 }): Promise<void> {
    this.agents.forEach((agent) => agent.disconnect());
    await this.app.close();
    await this.discard(foreseen);
  }

  /** What is left of a server that has stopped. Throws when more transactions than foreseen have waited for each other: a fault, also where nobody saw it. */
  async discard(foreseen = { deadlocks: 0 }): Promise<void> {
    rmSync(this.artifacts, { recursive: true, force: true });
    await this.pool.end();
    const name = nameOf(this.databaseUrl);
    if (this.databaseUrl !== at(name)) return;
    const seen = await asAdmin(async (admin) => {
      const { rows } = await admin.query<{ deadlocks: number }>('SELECT deadlocks::integer FROM pg_stat_database WHERE datname = $1', [name]);
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      return rows[0]?.deadlocks ?? 0;
    });
    if (seen > foreseen.deadlocks) throw new Error(`PostgreSQL ended ${seen} deadlocks`);
  }
}

const PREPARED = 'test_prepared';
const ADMIN_URL = process.env['TEST_DATABASE_URL'] ?? '';
const at = (name: string): string => ADMIN_URL.replace(/\/[^/]*$/, `/${name}`);

/** A database of its own on the server of all tests; answers its address. It is empty, or as a server finds it that starts for the second time. */
export function createDatabase({ prepared = false } = {}): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  return asAdmin(async (admin) => {
    if (prepared) await prepare(admin);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${prepared ? PREPARED : 'template1'} STRATEGY FILE_COPY`);
    return at(name);
  });
}

/** The first test file that needs one makes what all copy. */
async function prepare(admin: Client): Promise<void> {
  await admin.query('SELECT pg_advisory_lock(1)');
  const { rowCount } = await admin.query('SELECT FROM pg_database WHERE datname = $1', [PREPARED]);
  if (rowCount === 0) {
    await admin.query(`CREATE DATABASE ${PREPARED}`);
    await prepareDatabase(loadConfig({ DATABASE_URL: at(PREPARED), REDIS_URL: redisOfThisWorker(), JWT_SECRET: randomUUID() + randomUUID() }));
  }
  await admin.query('SELECT pg_advisory_unlock(1)');
}

export async function dropDatabase(url: string): Promise<void> {
  await query(ADMIN_URL, `DROP DATABASE ${nameOf(url)} WITH (FORCE)`);
}

const nameOf = (databaseUrl: string): string => new URL(databaseUrl).pathname.slice(1);

/** Tries again until `check` does not throw, for at most ten seconds. */
export async function eventually(check: () => Promise<void> | void, withinMs = 10_000): Promise<void> {
  for (const end = Date.now() + withinMs; ; ) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** With a connection of its own. */
export async function query<T>(url: string, text: string, values: unknown[] = []): Promise<T[]> {
  return withClient(url, async (client) => (await client.query(text, values)).rows as T[]);
}

const asAdmin = <T>(work: (admin: Client) => Promise<T>): Promise<T> => withClient(ADMIN_URL, work);

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
