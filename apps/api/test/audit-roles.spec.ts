import { Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { Sealer } from '../src/audit/sealer';
import { Foundation1700000000001 } from '../src/core/database/migrations/0001-foundation';
import { Rights1700000000002 } from '../src/core/database/migrations/0002-rights';
import { MIGRATIONS } from '../src/core/database/owner';
import { startAudit } from './support/audit';
import { redisOfThisWorker } from './support/redis-of-this-worker';

const SUPERUSER = process.env['TEST_DATABASE_URL'] ?? '';
const REDIS = redisOfThisWorker();

describe('the database of the audit log', () => {
  const made: { databases: string[]; logins: string[] } = { databases: [], logins: [] };
  let artifacts: string;
  beforeAll(() => void (artifacts = mkdtempSync(join(tmpdir(), 'gwanje-roles-'))));
  afterAll(async () => {
    for (const name of made.databases) await asSuperuser(`DROP DATABASE ${name} WITH (FORCE)`);
    for (const name of made.logins) await asSuperuser(`DROP ROLE ${name}`);
    rmSync(artifacts, { recursive: true, force: true });
  });

  async function asSuperuser(text: string, url = SUPERUSER): Promise<void> {
    const client = new Client({ connectionString: url });
    await client.connect();
    await client.query(text).finally(() => client.end());
  }

  async function makeLogin(): Promise<string> {
    const name = `login_${randomUUID().slice(0, 8)}`;
    await asSuperuser(`CREATE ROLE ${name} LOGIN PASSWORD 'pw'`);
    made.logins.push(name);
    return name;
  }

  async function makeDatabase(owner?: string): Promise<string> {
    const name = `roles_${randomUUID().replaceAll('-', '')}`;
    await asSuperuser(`CREATE DATABASE ${name} ${owner ? `OWNER ${owner}` : ''}`);
    made.databases.push(name);
    return SUPERUSER.replace(/\/[^/]*$/, `/${name}`);
  }

  const as = (url: string, login: string): string => url.replace(/\/\/[^@]*@/, `//${login}:pw@`);
  const start = (databaseUrl: string, settings: Record<string, string> = {}): ReturnType<typeof startAudit> =>
    startAudit({ databaseUrl, redisUrl: REDIS, artifacts }, settings);

  it('migrates once, however many processes start on however many empty databases', async () => {
    const urls = await Promise.all([makeDatabase(), makeDatabase()]);
    const started = await Promise.all([...urls, ...urls, ...urls].map((url) => start(url)));
    for (const server of started) {
      const [row] = await server
        .get(DataSource)
        .query<{ role: string; migrations: number }[]>('SELECT current_user AS role, (SELECT count(*) FROM migrations)::int AS migrations');
      expect(row).toEqual({ role: 'gwanje_app', migrations: MIGRATIONS.length });
    }
    await Promise.all(started.map((server) => server.close()));
  });

  it('works with a plain login that owns nothing, beside an owner for the migrations', async () => {
    const login = await makeLogin();
    const url = await makeDatabase();
    const server = await start(as(url, login), { DATABASE_OWNER_URL: url });
    const pool = server.get(DataSource);
    const [row] = await pool.query<object[]>('SELECT current_user AS role, session_user AS login');
    expect(row).toEqual({ role: 'gwanje_app', login });
    await pool.transaction(async (transaction) => {
      await transaction.query('SET LOCAL ROLE NONE');
      await expect(transaction.query('SAVEPOINT here; UPDATE audit_log SET action = action')).rejects.toThrow('permission denied');
      await transaction.query('ROLLBACK TO here');
      await expect(transaction.query('DELETE FROM audit_checkpoints')).rejects.toThrow('permission denied');
      await transaction.query('ROLLBACK TO here');
    });
    await server.close();

    const prepared = await start(as(url, login));
    const [again] = await prepared.get(DataSource).query<object[]>('SELECT current_user AS role');
    expect(again).toEqual({ role: 'gwanje_app' });
    await prepared.close();
  });

  it('seals what was recorded before there were seals', async () => {
    const url = await makeDatabase();
    const earlier = new DataSource({ type: 'postgres', url, migrations: [Foundation1700000000001, Rights1700000000002] });
    await earlier.initialize();
    await earlier.runMigrations();
    const user = randomUUID();
    await earlier.query(`INSERT INTO users (id, email, name, password_hash) VALUES ($1, 'early@example.com', 'Early', '')`, [user]);
    await earlier.query(
      `INSERT INTO audit_log (id, actor_type, actor_id, action, target_type, outcome) VALUES (gen_random_uuid(), 'user', $1, 'early.bird', 'thing', 'done')`,
      [user],
    );
    await earlier.destroy();
    const server = await start(url);
    await server.get(Sealer).sealAll();
    const sealed = await server
      .get(DataSource)
      .query<object[]>(`SELECT actor_name FROM audit_log a JOIN audit_seals s ON s.audit_id = a.id WHERE action = 'early.bird'`);
    expect(sealed).toEqual([{ actor_name: 'early@example.com' }]);
    await server.close();
  });

  it('goes on with the triggers alone, where the owner may not take the role', async () => {
    const login = await makeLogin();
    const url = await makeDatabase(login);
    const warn = jest.spyOn(Logger.prototype, 'warn');
    const server = await start(as(url, login));
    expect(warn.mock.calls.flat().join()).toMatch(/not as the role gwanje_app: .*Triggers alone/);
    warn.mockRestore();
    const pool = server.get(DataSource);
    const [row] = await pool.query<object[]>('SELECT current_user AS role');
    expect(row).toEqual({ role: login });
    await expect(pool.query('UPDATE audit_log SET action = action')).rejects.toThrow('append-only');
    await expect(pool.query('TRUNCATE audit_seals')).rejects.toThrow('append-only');
    await server.close();
  });
});
