import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from '../src/core/database/owner';
import { ADMIN, createDatabase, dropDatabase, eventually, query } from './support/environment';
import { FakeAgent } from './support/fake-agent';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { breaks, readSchema } from './support/schema';
import { ServerProcess } from './support/server-process';
import { StartingLine } from './support/starting-line';

/** The last migration of the release before this one, whose servers run beside ours during an upgrade. To be set with every release. */
const RELEASED = 'ExportNews1700000000011';
/** Of what it had, what none of its statements names. */
const UNNAMED = ['command_logs.id is gone', 'command_logs: no more PRIMARY KEY (id)', 'command_logs: no more USING btree (id)'];
const NAMES = MIGRATIONS.map(({ name }) => name);
const TOGETHER = 4;
const PATIENCE_MS = 120_000;

jest.setTimeout(3 * PATIENCE_MS);

describe('an upgrade', () => {
  let folder: string;
  let settings: Record<string, string>;
  let databaseUrl: string;
  const servers: ServerProcess[] = [];

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-upgrade-'));
    databaseUrl = await createDatabase();
    settings = {
      REDIS_URL: redisOfThisWorker(), JWT_SECRET: randomUUID() + randomUUID(), DB_POOL_MIN: '0', LOG_LEVEL: 'warn', SWEEP_MS: '100',
      ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password, ARTIFACTS_DIR: join(folder, 'artifacts'), AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
    };
  });
  afterEach(async () => {
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    await dropDatabase(databaseUrl);
    rmSync(folder, { recursive: true, force: true });
  });

  const start = async (url = databaseUrl): Promise<ServerProcess> => {
    const server = await ServerProcess.start({ ...settings, DATABASE_URL: url }, PATIENCE_MS);
    servers.push(server);
    return server;
  };
  const migrate = async (migrations: typeof MIGRATIONS): Promise<void> => {
    const owner = await new DataSource({ type: 'postgres', url: databaseUrl, migrations }).initialize();
    await owner.runMigrations({ transaction: 'each' }).finally(() => owner.destroy());
  };
  const migrated = async (): Promise<string[]> => (await query<{ name: string }>(databaseUrl, 'SELECT name FROM migrations ORDER BY id')).map(({ name }) => name);
  const caller = async ({ url }: ServerProcess): Promise<(method: string, path: string, body?: object) => Promise<Record<string, unknown>>> => {
    let token = '';
    const call = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const headers = { ...(token && { Authorization: `Bearer ${token}` }), 'Content-Type': 'application/json' };
      const answer = await fetch(url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as Record<string, unknown>;
    };
    token = (await call('POST', '/api/auth/login', ADMIN))['accessToken'] as string;
    return call;
  };
  /** What an installation is there for, through this server: people, machines, commands and the record of it. */
  const work = async (server: ServerProcess, name: string): Promise<void> => {
    const call = await caller(server);
    const role = await call('POST', '/api/roles', { name: `role of ${name}`, permissions: ['commands.read'] });
    await call('POST', '/api/users', { email: `${name}@example.com`, name, password: 'correct horse battery', roles: [role['name']] });
    const client = (await call('POST', '/api/clients', { name, groups: [name] })) as { id: string; clientKey: string };
    await call('PUT', `/api/clients/${client.id}/permissions`, { items: [{ role: role['name'], actions: ['*'] }] });
    const agent = new FakeAgent(server.url, client.id, client.clientKey);
    await agent.connect();
    const { id } = await call('POST', '/api/commands', { clientId: name, action: 'noop', payload: {} });
    await call('POST', '/api/commands/batch', { targets: { groups: [name] }, action: 'noop', payload: {} });
    await eventually(() => expect(agent.received).toHaveLength(2));
    const other = agent.received.map((frame) => frame.id).find((received) => received !== id);
    expect(await agent.post(`/api/commands/${String(id)}/start`, {})).toBe(200);
    expect(await agent.post(`/api/commands/${String(id)}/output`, { chunks: [{ seq: 0, stream: 'stdout', text: 'here' }] })).toBe(200);
    expect(await agent.post(`/api/commands/${String(id)}/result`, { success: true })).toBe(200);
    expect(await agent.post(`/api/commands/${other ?? ''}/result`, { success: false })).toBe(200);
    expect(await call('GET', `/api/commands/${String(id)}`)).toMatchObject({ status: 'completed' });
    await call('POST', `/api/commands/${other ?? ''}/retry`);
    await eventually(() => expect(agent.received).toHaveLength(3));
    agent.disconnect();
    await call('POST', '/api/audit/exports', { format: 'csv' });
    await eventually(async () => expect(await query(databaseUrl, 'SELECT 1 FROM audit_unsealed')).toEqual([]));
    await eventually(async () => expect(await query(databaseUrl, `SELECT status FROM audit_exports WHERE status <> 'completed'`)).toEqual([]));
  };

  it(`migrates once when ${TOGETHER} servers start at the same moment on an empty database, and all of them serve`, async () => {
    // Processes take different times until they look at the database.
    const line = await StartingLine.open(databaseUrl, TOGETHER);
    await Promise.all(Array.from({ length: TOGETHER }, () => start(line.url)));
    expect(await migrated()).toEqual(NAMES);
    for (const server of servers) expect(await (await caller(server))('GET', '/api/auth/me')).toMatchObject({ email: ADMIN.email });
    expect(await query(databaseUrl, 'SELECT email FROM users')).toEqual([{ email: ADMIN.email }]);
    for (const server of servers) expect(await fetch(`${server.url}/health/ready`)).toMatchObject({ status: 200 });
    await Promise.all(servers.splice(0).map((server) => server.stop()));
    await line.close();
  });

  it('leaves to the release before all that it relies on', async () => {
    const released = NAMES.indexOf(RELEASED) + 1;
    expect(released).toBeGreaterThan(0);
    await migrate(MIGRATIONS.slice(0, released));
    const before = await readSchema(databaseUrl);
    await migrate(MIGRATIONS);
    expect(await migrated()).toEqual(NAMES);
    expect(breaks(before, await readSchema(databaseUrl))).toEqual(UNNAMED);
  });

  it('migrates also where PostgreSQL undoes a migration for the sake of whoever is at work', async () => {
    const twoTables = NAMES.indexOf('LessInIndexes1700000000021');
    await migrate(MIGRATIONS.slice(0, twoTables));
    const atWork = new Client({ connectionString: databaseUrl });
    await atWork.connect();
    // The one who has waited for so long is undone: the migration, when whoever is at work has come to wait for it in the meantime.
    await query(databaseUrl, `ALTER DATABASE ${new URL(databaseUrl).pathname.slice(1)} SET deadlock_timeout = '4s'`);
    await atWork.query(`BEGIN; SET LOCAL deadlock_timeout = '1min'`);
    await atWork.query('SELECT FROM commands FOR UPDATE');
    const starting = start();
    await eventually(async () => expect(await query(databaseUrl, `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)).toHaveLength(1), PATIENCE_MS);
    await atWork.query('SELECT FROM command_logs');
    await atWork.query('COMMIT');
    await atWork.end();
    await work(await starting, 'after');
    expect(await migrated()).toEqual(NAMES);
    const [seen] = await query<{ deadlocks: number }>(databaseUrl, 'SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()');
    expect(seen).toEqual({ deadlocks: 1 });
  });

  it('would notice each change that does not', async () => {
    await migrate(MIGRATIONS);
    await query(databaseUrl, `CREATE TYPE mood AS ENUM ('calm', 'busy')`);
    const before = await readSchema(databaseUrl);
    const found = async (sql: string): Promise<string[]> => {
      // PostgreSQL rolls back a schema like everything else, but another connection must see it to read it.
      const copy = `${new URL(databaseUrl).pathname.slice(1)}_copy`;
      const copyUrl = databaseUrl.replace(/\/[^/]*$/, `/${copy}`);
      const server = process.env['TEST_DATABASE_URL'] ?? '';
      await query(server, `CREATE DATABASE ${copy} TEMPLATE ${new URL(databaseUrl).pathname.slice(1)}`);
      try {
        await query(copyUrl, sql);
        return breaks(before, await readSchema(copyUrl));
      } finally {
        await query(server, `DROP DATABASE ${copy} WITH (FORCE)`);
      }
    };
    expect(await found(GROWTH)).toEqual([]);
    for (const [sql, fault] of [
      ['ALTER TABLE commands DROP error_message CASCADE', 'commands.error_message is gone'],
      ['ALTER TABLE commands RENAME error_message TO fault', 'commands.error_message is gone'],
      ['DROP TABLE second_factors CASCADE', 'second_factors.user_id is gone'],
      ['ALTER TABLE commands ALTER error_message TYPE jsonb USING NULL', 'commands.error_message is jsonb, no more text'],
      ['ALTER TABLE commands ALTER error_message SET NOT NULL', 'commands.error_message takes no NULL any more'],
      ['ALTER TABLE commands ALTER created_at DROP DEFAULT', 'commands.created_at has no default any more'],
      ['ALTER TABLE commands ADD tenant uuid NOT NULL', 'commands.tenant is new, and an INSERT without it fails'],
      ['ALTER TABLE commands ADD CONSTRAINT short CHECK (length(action) < 5)', 'commands: new CHECK ((length(action) < 5))'],
      ['CREATE UNIQUE INDEX one_each ON commands (client_id, action)', 'commands: new USING btree (client_id, action)'],
      ['ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_pkey', 'idempotency_keys: no more PRIMARY KEY (user_id, key)'],
      ['DROP FUNCTION audit_drop_expired(uuid, bigint)', /^the function audit_drop_expired/],
      [`DROP TYPE mood; CREATE TYPE mood AS ENUM ('calm')`, 'mood.busy is gone'],
    ] as const) {
      const faults = await found(sql);
      expect([sql, faults]).toEqual([sql, expect.arrayContaining([typeof fault === 'string' ? fault : (expect.stringMatching(fault) as string)])]);
    }
  });

  it('lets a server start, work, and start again beside a newer one, whose schema has grown', async () => {
    await work(await start(), 'before');
    await query(databaseUrl, GROWTH);
    await query(databaseUrl, 'GRANT SELECT, INSERT ON later TO gwanje_app');
    await query(databaseUrl, `INSERT INTO migrations (timestamp, name) VALUES (9700000000099, 'Later9700000000099')`);
    // The one that runs, and one that starts: a process that was restarted in the middle.
    await work(servers[0] as ServerProcess, 'running');
    await work(await start(), 'restarted');
    expect(await migrated()).toEqual([...NAMES, 'Later9700000000099']);
    // What the newer release lets nobody change is not opened by the older one.
    const [granted] = await query<{ granted: boolean }>(databaseUrl, `SELECT has_table_privilege('gwanje_app', 'later', 'UPDATE') AS granted`);
    expect(granted).toEqual({ granted: false });
  });
});

/** All that a release may do to the tables of the one before: columns that may be left out, tables, indexes, words. */
const GROWTH = `
  DO $$ DECLARE t text; BEGIN
    FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'migrations' LOOP
      EXECUTE format('ALTER TABLE %I ADD later text, ADD later_count integer NOT NULL DEFAULT 0 CHECK (later_count >= 0)', t);
      EXECUTE format('CREATE UNIQUE INDEX ON %I (later) WHERE later IS NOT NULL', t);
    END LOOP;
  END $$;
  CREATE TABLE later (id uuid PRIMARY KEY);
  CREATE FUNCTION later_word() RETURNS text LANGUAGE sql AS 'SELECT ''later''';
  DO $$ BEGIN IF to_regtype('mood') IS NOT NULL THEN ALTER TYPE mood ADD VALUE 'late'; END IF; END $$;
`;
