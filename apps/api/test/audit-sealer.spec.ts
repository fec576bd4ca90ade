import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { Retention } from '../src/audit/retention';
import { verifyFile } from '../src/audit/proof/verify-file';
import { NEXT_PAGE, Sealer } from '../src/audit/sealer';
import { type PlanNode, readBy, walk } from '../../../tools/plans/explain';
import { AuditDesk, startAudit } from './support/audit';
import { eventually, TestEnvironment } from './support/environment';

const INSERT = `INSERT INTO audit_log (id, actor_type, action, target_type, outcome) VALUES ($1, 'system', 'test.late', 'thing', 'done')`;

describe('the seals of the audit log', () => {
  let env: TestEnvironment;
  let desk: AuditDesk;
  let folder: string;
  const clients: Client[] = [];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-seals-'));
    env = await TestEnvironment.create({ AUDIT_SEAL_MS: '20' });
    desk = new AuditDesk(env);
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.end()));
    await env.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  async function connect(options?: string): Promise<Client> {
    const client = new Client({ connectionString: env.databaseUrl, ...(options && { options }) });
    await client.connect();
    clients.push(client);
    return client;
  }

  async function expectFaultless(): Promise<void> {
    await desk.waitUntilSealed();
    const [{ rows, seals, last, distinct, checkpoints } = { rows: 0, seals: 0, last: 0, distinct: 0, checkpoints: 0 }] = await env.sql<
      Record<string, number>
    >(
      `SELECT (SELECT count(*) FROM audit_log)::int AS rows, count(*)::int AS seals, max(position)::int AS last, count(DISTINCT audit_id)::int AS distinct,
         (SELECT sum(count) FROM audit_checkpoints)::int AS checkpoints FROM audit_seals`,
    );
    expect({ rows, seals, last, distinct, checkpoints }).toEqual({ rows, seals: rows, last: rows, distinct: rows, checkpoints: rows });
    const { bytes } = await desk.export('ndjson');
    const file = join(folder, `${uuid()}.ndjson`);
    writeFileSync(file, bytes);
    const verdict = await verifyFile(file);
    expect(verdict.complete).toBe(true);
    expect(verdict.rows).toBeGreaterThanOrEqual(rows);
  }

  it('seals a row whose transaction commits after later rows were sealed', async () => {
    const early = uuid();
    const slow = await connect();
    await slow.query('BEGIN');
    await slow.query(INSERT, [early]);
    const [before] = await env.sql<{ n: number }>('SELECT coalesce(max(number), 0)::int AS n FROM audit_checkpoints');
    for (let round = 1; round <= 4; round++) {
      await desk.record();
      await desk.waitUntilSealed();
    }
    const [after] = await env.sql<{ n: number }>('SELECT max(number)::int AS n FROM audit_checkpoints');
    expect((after?.n ?? 0) - (before?.n ?? 0)).toBeGreaterThanOrEqual(4);
    const position = (): Promise<{ position: string }[]> => env.sql('SELECT position FROM audit_seals WHERE audit_id = $1', [early]);
    expect(await position()).toEqual([]);
    const aborted = await connect();
    await aborted.query('BEGIN');
    await aborted.query(INSERT, [uuid()]);
    await aborted.query('ROLLBACK');
    await slow.query('COMMIT');
    await eventually(async () => expect(await position()).toHaveLength(1));
    await expectFaultless();
  });

  it('skips and doubles nothing while ten sealers seal what sixteen writers write', async () => {
    const other = await startAudit(env, { AUDIT_SEAL_MS: '10' });
    const sealers = [desk.sealer, other.get(Sealer)];
    let writing = true;
    const sealing = Promise.all(
      Array.from({ length: 10 }, async (_, n) => {
        while (writing) await sealers[n % 2]?.sealAll();
      }),
    );
    await Promise.all(
      Array.from({ length: 16 }, async (_, writer) => {
        const client = await connect();
        for (let n = 0; n < 30; n++) {
          await client.query('BEGIN');
          await client.query(INSERT, [uuid()]);
          if (n % 3 === 0) await client.query('SELECT pg_sleep(0.01)');
          await client.query((n + writer) % 5 === 0 ? 'ROLLBACK' : 'COMMIT');
        }
      }),
    );
    writing = false;
    await sealing;
    await other.close();
    await expectFaultless();
  });

  it('reads what is not sealed, and nothing else of the log, whatever PostgreSQL knows of both', async () => {
    const owner = await connect();
    await owner.query('BEGIN');
    const insert = (rows: number): Promise<unknown> =>
      owner.query(`INSERT INTO audit_log (id, actor_type, action, target_type, outcome) SELECT uuidv7(), 'system', 'test.many', 'thing', 'done' FROM generate_series(1, $1)`, [rows]);
    await insert(100);
    await owner.query('ANALYZE audit_unsealed');
    // Without the trigger that has them wait: these are as if sealed since, and what is known of those that wait is old.
    await owner.query('SET LOCAL session_replication_role = replica');
    await insert(30_000);
    await owner.query('SET LOCAL session_replication_role = origin');
    await owner.query('ANALYZE audit_log');
    await insert(100);
    const [last] = (await owner.query<{ id: string }>('SELECT id FROM audit_unsealed ORDER BY id OFFSET 99 LIMIT 1')).rows;
    const { rows } = await owner.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(`EXPLAIN (ANALYZE, FORMAT JSON) ${NEXT_PAGE}`, [last?.id]);
    await owner.query('ROLLBACK');
    const nodes = [...walk(rows[0]!['QUERY PLAN'][0].Plan)];
    const readOfTheLog = nodes.filter((node) => node['Relation Name'] === 'audit_log').reduce((sum, node) => sum + readBy(node), 0);
    expect({ found: nodes[0]?.['Actual Rows'], readOfTheLog, nodes }).toMatchObject({ found: 100, readOfTheLog: 100 });
  });

  it('lets the role of the server add, and neither change nor remove nor take the role off', async () => {
    const app = await connect('-c role=gwanje_app');
    for (const table of [
      'audit_log',
      'audit_checkpoints',
      'audit_seals',
      'audit_keys',
      'audit_unsealed',
      'audit_retentions',
      'audit_policy',
      'migrations',
    ]) {
      for (const change of [`DELETE FROM ${table}`, `TRUNCATE ${table} CASCADE`, `ALTER TABLE ${table} DISABLE TRIGGER ALL`, `DROP TABLE ${table}`]) {
        await expect(app.query(change)).rejects.toMatchObject({ code: '42501' });
      }
    }
    await app.query('RESET ROLE');
    for (const change of [
      'UPDATE audit_log SET action = action',
      'UPDATE audit_seals SET position = position',
      'UPDATE audit_checkpoints SET root = root',
    ]) {
      await expect(app.query(change)).rejects.toMatchObject({ code: '42501' });
    }
    const { rows } = await app.query<{ role: string }>('SELECT current_user AS role');
    expect(rows[0]?.role).toBe('gwanje_app');
    const changeable = await env.sql<{ relname: string }>(`SELECT relname FROM pg_class WHERE relname LIKE 'audit_%' AND relkind = 'r'
      AND has_table_privilege('gwanje_app', oid, 'UPDATE, DELETE, TRUNCATE')`);
    expect(changeable.map(({ relname }) => relname)).toEqual(['audit_exports']);
    const [server] = await env.app.get(DataSource).query<{ role: string }[]>('SELECT current_user AS role');
    expect(server?.role).toBe('gwanje_app');
  });

  it('refuses a change even to the owner', async () => {
    const owner = await connect();
    for (const table of ['audit_log', 'audit_checkpoints', 'audit_seals', 'audit_keys']) {
      await expect(owner.query(`DELETE FROM ${table}`)).rejects.toThrow('append-only');
      await expect(owner.query(`TRUNCATE ${table} CASCADE`)).rejects.toThrow('append-only');
    }
    await expect(owner.query('UPDATE audit_log SET action = action')).rejects.toThrow('append-only');
    await desk.record();
    await owner.query('BEGIN');
    await owner.query(INSERT, [uuid()]);
    await expect(owner.query('DELETE FROM audit_unsealed')).rejects.toThrow('by its seal only');
    await owner.query('ROLLBACK');
  });

  it('drops whole checkpoints by policy only, and leaves the chain and a sealed record', async () => {
    await desk.waitUntilSealed();
    const retention = env.app.get(Retention);
    expect(await retention.drop()).toBe(0);
    const [before] = await env.sql<{ last: number; root: string; number: number }>(
      'SELECT last::int AS last, root, number::int AS number FROM audit_checkpoints ORDER BY number DESC LIMIT 1',
    );
    await env.sql('UPDATE audit_policy SET retention_days = 1e-9');
    const dropped = await retention.drop();
    await env.sql('UPDATE audit_policy SET retention_days = 0');
    expect(dropped).toBeGreaterThanOrEqual(before?.last ?? 0);
    const [record] = await desk.list('action=audit.retention');
    expect(record).toMatchObject({ actor: { type: 'system' }, outcome: 'done' });
    expect((record?.detail as { lastPosition: number }).lastPosition).toBeGreaterThanOrEqual(before?.last ?? 0);
    expect(await env.sql('SELECT 1 FROM audit_seals WHERE position <= $1', [before?.last])).toEqual([]);
    const kept = await env.sql<{ root: string }>('SELECT root FROM audit_checkpoints WHERE number = $1', [before?.number]);
    expect(kept[0]?.root).toBe(before?.root);
    await desk.record();
    for (const format of ['ndjson', 'csv'] as const) {
      const file = join(folder, `after-retention.${format}`);
      writeFileSync(file, (await desk.export(format)).bytes);
      const verdict = await verifyFile(file);
      expect(verdict.dropped?.position).toBe((record?.detail as { lastPosition: number }).lastPosition);
    }
    await expect(env.sql('DELETE FROM audit_log')).rejects.toThrow('append-only');
  });

  it('makes its key once, for the owner alone, and lets an old key vouch for a new one', async () => {
    const file = join(env.artifacts, 'audit-key.pem');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const fresh = join(folder, 'new', 'key.pem');
    const started = await Promise.all([1, 2, 3].map(() => startAudit(env, { AUDIT_KEY_FILE: fresh, AUDIT_PREVIOUS_KEY_FILE: file })));
    expect(existsSync(fresh)).toBe(true);
    for (const server of started) await server.get(Sealer).sealAll();
    await Promise.all(started.map((server) => server.close()));
    const keys = await env.sql<{ vouched: object | null }>('SELECT vouched FROM audit_keys ORDER BY created_at');
    expect(keys.map(({ vouched }) => vouched !== null)).toEqual([false, true]);
    expect((await desk.list('action=audit.key')).map(({ detail }) => (detail as { vouchedBy: string | null }).vouchedBy !== null)).toEqual([true]);
    const exported = join(folder, 'rotated.ndjson');
    writeFileSync(exported, (await desk.export('ndjson')).bytes);
    expect((await verifyFile(exported)).keyIds).toHaveLength(2);

    const given = await startAudit(env, { AUDIT_SIGNING_KEY: Buffer.from(readFileSync(fresh)).toString('base64') });
    await given.get(Sealer).sealAll();
    await given.close();
    expect(await env.sql('SELECT 1 FROM audit_keys')).toHaveLength(2);
    await expect(startAudit(env, { AUDIT_SIGNING_KEY: 'nonsense' })).rejects.toThrow('AUDIT_SIGNING_KEY must be an Ed25519 private key');
  });
});
