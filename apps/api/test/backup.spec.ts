import { createHash, createPublicKey, randomUUID } from 'node:crypto';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { backup } from '../../../tools/backup/backup';
import { settle } from '../../../tools/backup/after-restore';
import { restore } from '../../../tools/backup/restore';
import { verifyFile } from '../src/audit/proof/verify-file';
import { AuditDesk } from './support/audit';
import { DEBIAN_POSTGRES, DebianPostgres, PG_BIN } from './support/debian-postgres';
import { download } from './support/download';
import { eventually, query, TestEnvironment } from './support/environment';
import { describeWith } from './support/programs';

jest.setTimeout(90_000);

describeWith('postgresql', DEBIAN_POSTGRES)('a backup', () => {
  let postgres: DebianPostgres;
  let folder: string;
  let env: TestEnvironment;
  let sourceUrl: string;
  const secret = randomUUID() + randomUUID();
  const path = (name: string): string => join(folder, name);
  const settings = (databaseUrl: string, name: string): Record<string, string> => ({
    DATABASE_URL: databaseUrl, JWT_SECRET: secret, ARTIFACTS_DIR: path(name), AUDIT_KEY_FILE: path('audit-key.pem'),
  });

  beforeAll(async () => {
    process.env['PG_BIN'] = PG_BIN;
    folder = mkdtempSync(join(tmpdir(), 'gwanje-backup-'));
    postgres = await DebianPostgres.start();
    sourceUrl = await postgres.database('source');
    env = await TestEnvironment.create(settings(sourceUrl, 'artifacts'));
  });
  afterAll(async () => {
    await env.destroy();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
    delete process.env['PG_BIN'];
  });

  it('goes into an empty server, which verifies its audit log and goes on where the other was', async () => {
    const client = await env.client('machine', { groups: ['shop'] });
    const agent = await env.connect(client);
    const done = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    const bytes = Buffer.from(randomUUID());
    const sent = await fetch(`${env.url}/api/commands/${done}/artifacts`, {
      method: 'POST', body: bytes, headers: { Authorization: `Bearer ${client.clientKey}`, 'Content-Type': 'application/octet-stream' },
    });
    const { id: artifact } = (await sent.json()) as { id: string };
    await agent.post(`/api/commands/${done}/result`, { success: true, data: { page: 1 } });
    agent.disconnect();
    await eventually(async () => expect((await env.get('/api/clients/machine')).body).toMatchObject({ status: 'offline' }));
    const waits = await env.command(client.id);
    const once = await env.command(client.id, { action: 'shell', payload: { program: 'true' } });

    // Beside the running server.
    const manifest = await backup(sourceUrl, path('artifacts'), path('backup'));
    const lost = await env.command(client.id);

    const targetUrl = await postgres.database('target');
    expect(await restore(path('backup'), targetUrl, path('restored'))).toEqual(manifest);
    const restored = await TestEnvironment.create(settings(targetUrl, 'restored'));
    try {
      expect((await restored.get(`/api/commands/${done}`).expect(200)).body).toMatchObject({ status: 'completed', result: { data: { page: 1 } } });
      expect(createHash('sha256').update(await download(restored, done, artifact)).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
      await restored.get(`/api/commands/${lost}`).expect(404);
      // It may have been done since: it is not done twice.
      expect((await restored.get(`/api/commands/${once}`).expect(200)).body).toMatchObject({ status: 'indeterminate', attempt: 1 });
      const { body: history } = await restored.get(`/api/commands/${once}/logs`).expect(200);
      expect((history as { items: { eventType: string }[] }).items.map(({ eventType }) => eventType)).toEqual(['created', 'dispatched', 'indeterminate']);

      const desk = new AuditDesk(restored);
      await desk.waitUntilSealed();
      const { bytes: log } = await desk.export('ndjson');
      writeFileSync(path('log.ndjson'), log);
      const verdict = await verifyFile(path('log.ndjson'), [createPublicKey(readFileSync(path('audit-key.pem')))]);
      expect(verdict).toMatchObject({ complete: true, trust: 'pinned' });
      expect(Number(verdict.head.last)).toBeGreaterThan(Number(manifest.auditSealedTo));

      // The machine comes back with its key, and gets what waited.
      const again = await restored.connect(client);
      await eventually(() => expect(again.received.map(({ id }) => id)).toEqual([waits]));
      expect(await again.post(`/api/commands/${waits}/result`, { success: true })).toBe(200);
      await restored.reaches(waits, 'completed');
    } finally {
      await restored.destroy();
    }
  });

  it('has nothing of the time to come, when it goes into another cluster', async () => {
    const url = await postgres.database('ahead');
    await restore(path('backup'), url, path('ahead'));
    const ahead = `(pg_current_xact_id()::text::bigint + 1000000)::text::xid8`;
    await query(url, `UPDATE command_logs SET xid = ${ahead}`);
    await query(url, `INSERT INTO alert_rules (id, name, enabled, condition, channels, told_below, past)
      SELECT gen_random_uuid(), 'r', false, '{}', '{}', x, (x::text || ':' || x::text || ':')::pg_snapshot FROM (SELECT ${ahead} AS x) x`);
    await settle(url);
    expect(await query(url, 'SELECT 1 FROM alert_rules WHERE greatest(told_below, pg_snapshot_xmax(past)) > pg_current_xact_id()')).toEqual([]);
    expect(await query(url, `SELECT DISTINCT xid::text FROM command_logs`)).toEqual([{ xid: '3' }]);
  });

  it('leaves artifacts in their bucket, and says in which', async () => {
    const manifest = await backup(sourceUrl, path('no-artifacts'), path('beside-a-bucket'), 's3://shop/artifacts/');
    expect(manifest.artifactsIn).toBe('s3://shop/artifacts/');
    const url = await postgres.database('beside_a_bucket');
    expect(await restore(path('beside-a-bucket'), url, path('nothing'))).toEqual(manifest);
    expect(await query(url, 'SELECT id FROM artifacts')).toHaveLength(1);
    // Without a bucket the same is a loss.
    await backup(sourceUrl, path('no-artifacts'), path('without-files'));
    await expect(restore(path('without-files'), await postgres.database('without_files'), path('none'))).rejects.toThrow('the files of 1 artifacts are missing');
  });

  it('is refused where something is already, and where it was changed', async () => {
    const empty = await postgres.database('empty');
    await expect(backup(sourceUrl, path('artifacts'), path('backup'))).rejects.toThrow('is not empty');
    await expect(restore(path('backup'), sourceUrl, path('elsewhere'))).rejects.toThrow('the database is not empty');
    await expect(restore(path('backup'), empty, path('artifacts'))).rejects.toThrow('is not empty: restore into a new folder');
    cpSync(path('backup'), path('changed'), { recursive: true });
    appendFileSync(join(path('changed'), 'database.dump'), 'x');
    await expect(restore(path('changed'), empty, path('elsewhere'))).rejects.toThrow('is not as it was written');
    rmSync(join(path('changed'), 'manifest.json'));
    await expect(restore(path('changed'), empty, path('elsewhere'))).rejects.toThrow('holds no whole backup');
    expect(await query(empty, `SELECT 1 FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
    process.env['PG_BIN'] = folder;
    await expect(backup(sourceUrl, path('artifacts'), path('other'))).rejects.toThrow('set PG_BIN');
    process.env['PG_BIN'] = PG_BIN;
  });
});
