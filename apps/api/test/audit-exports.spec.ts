import Redis from 'ioredis';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import request from 'supertest';
import { v7 as uuid } from 'uuid';
import { ExportClerk } from '../src/audit/exports/export-clerk';
import { ExportWriter } from '../src/audit/exports/export-writer';
import { verifyFile } from '../src/audit/proof/verify-file';
import { AuditDesk, startAudit } from './support/audit';
import { eventually, TestEnvironment } from './support/environment';

const ROOT = join(__dirname, '..', '..', '..');

describe('exports of the audit log', () => {
  let env: TestEnvironment;
  let desk: AuditDesk;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    desk = new AuditDesk(env);
    for (let n = 0; n < 30; n++)
      await desk.record({ action: n % 3 ? 'export.one' : 'export.two', detail: { n, text: `값 ${n}\n"quoted", and more` } });
  });
  afterAll(() => env.destroy());

  function save(name: string, bytes: Buffer): string {
    const file = join(env.artifacts, name);
    writeFileSync(file, bytes);
    return file;
  }

  function verifyByCommand(...args: string[]): Promise<{ code: number; output: string }> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        ['--import', 'tsx', 'tools/audit/verify.ts', ...args],
        { cwd: ROOT, env: { PATH: process.env['PATH'] ?? '' } },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, output: (stdout + stderr).trim() }),
      );
    });
  }

  it.each(['ndjson', 'csv'] as const)(
    'makes a complete %s export that the command verifies offline',
    async (format) => {
      const { state, bytes } = await desk.export(format);
      expect(state).toMatchObject({ status: 'completed', progress: 100, format, filter: null, bytes: bytes.length });
      expect(state.rows).toBeGreaterThan(30);
      const file = save(`complete.${format}`, bytes);
      const { publicKey, keys } = (await env.get('/api/audit/checkpoints')).body as { publicKey: string; keys: { id: string }[] };
      const first = await verifyByCommand(file);
      expect(first).toEqual({
        code: 0,
        output: expect.stringMatching(new RegExp(`^VALID: ${state.rows} rows .*nothing missing.*trust on first use: key ${keys[0]?.id}$`)),
      });
      const pinned = await verifyByCommand(file, '--public-key', save('key.pem', Buffer.from(publicKey)));
      expect(pinned).toEqual({ code: 0, output: expect.stringContaining('key as given') });

      // As a text, the way many a client reads it, without the byte order mark.
      expect(await verifyByCommand(save('text', Buffer.from(new TextDecoder().decode(bytes))))).toEqual(first);

      const cut = await verifyByCommand(save('cut', bytes.subarray(0, bytes.lastIndexOf('\n', bytes.length - 2) + 1)));
      expect(cut).toEqual({ code: 1, output: expect.stringMatching(/^NOT VALID: the export is cut after position \d+/) });
    },
    60_000,
  );

  it('marks another key as not trusted when a key is pinned', async () => {
    const file = save('foreign.ndjson', (await desk.export('ndjson')).bytes);
    const foreign = save(
      'foreign.pem',
      Buffer.from('-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n'),
    );
    expect(await verifyByCommand(file, '--public-key', foreign)).toEqual({ code: 1, output: expect.stringContaining('nobody trusted vouches') });
  });

  it.each(['ndjson', 'csv'] as const)('proves each row of a filtered %s export, and that none of them is missing', async (format) => {
    const { state, bytes } = await desk.export(format, { action: 'export.two' });
    expect(state).toMatchObject({ rows: 10, filter: { action: 'export.two' } });
    expect(await verifyFile(save(`filtered.${format}`, bytes))).toMatchObject({ complete: false, rows: 10 });
    const lines = bytes.toString().split(/(?<=\n)/);
    const index = lines.findIndex((line) => line.includes('export.two') && line.includes('anonymous'));
    const without = lines.filter((_, at) => at !== index).join('');
    await expect(verifyFile(save('without', Buffer.from(without)))).rejects.toThrow(/missing|sealed/);
  });

  it('has nothing in a CSV that a spreadsheet takes for a formula, and verifies even so', async () => {
    const names = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', "'quoted", '', '＝1', '\n=1', 'plain, "x"', "'=1"];
    for (const name of names) await desk.record({ action: 'formula.test', target: { type: 'thing', id: name, name } });
    const { bytes } = await desk.export('csv', { action: 'formula.*' });
    expect((await verifyFile(save('formula.csv', bytes))).rows).toBe(names.length);
    const cells = [
      ...bytes
        .toString()
        .slice(1)
        .matchAll(/(?<=^|,|\n)("((?:[^"]|"")*)"|[^",\n]*)/g),
    ].map((match) => match[2] ?? match[1] ?? '');
    expect(cells.length).toBeGreaterThan(names.length * 20);
    expect(cells.filter((cell) => /^[=+\-@\t\r＝]/.test(cell))).toEqual([]);
    for (const name of names.slice(0, 6)) expect(cells).toContain(`'${name}`);
  });

  it('shows everybody only their own exports', async () => {
    const { state } = await desk.export('ndjson');
    const { token } = await desk.auditorOfLittle('other@example.com');
    const asOther = (path: string): request.Test => request(env.url).get(`/api/audit/exports/${path}`).set('Authorization', `Bearer ${token}`);
    await asOther(state.id).expect(404);
    await asOther(`${state.id}/download`).expect(404);
    await asOther('nonsense').expect(404);
    const own = await desk.export('ndjson', undefined, token);
    const verdict = await verifyFile(save('own.ndjson', own.bytes));
    // Their log-in, the three attempts above and this order.
    expect(verdict).toMatchObject({ complete: false, rows: 5 });
    const { body } = await env.get('/api/audit/exports').expect(200);
    expect((body as { items: { id: string }[] }).items.map(({ id }) => id)).not.toContain(own.state.id);
    expect((await desk.list(`target=${state.id}`)).map(({ action }) => action)).toEqual(['audit.export', 'audit.export', 'audit.download', 'audit.export']);
    expect((await desk.list(`target=${state.id}&outcome=refused`)).map(({ action }) => action)).toEqual(['audit.export', 'audit.export']);
  });

  it('names the fault of an order', async () => {
    const fault = async (body: object): Promise<string[]> =>
      ((await env.post('/api/audit/exports', body).expect(400)).body as { errors: { path: string }[] }).errors.map(({ path }) => path);
    expect(await fault({ format: 'xml' })).toEqual(['format']);
    expect(await fault({ format: 'csv', filter: { nope: 1 } })).toEqual(['filter.nope']);
    expect(await fault({ format: 'csv', filter: { from: 'x' } })).toContain('filter.from');
  });

  it('loses no order to FLUSHALL or to the death of a worker', async () => {
    const redis = new Redis(env.redisUrl);
    const [user] = await env.sql<{ id: string }>(`SELECT id FROM users WHERE email = 'admin@example.com'`);
    const insert = async (status: string, heartbeat: string): Promise<string> => {
      const id = uuid();
      await env.sql(
        `INSERT INTO audit_exports (id, created_by, everywhere, rights_version, format, status, attempt, heartbeat_at)
         SELECT $1, id, '{audit.read}', rights_version, 'ndjson', $3, 1, now() - $4::interval FROM users WHERE id = $2`,
        [id, user?.id, status, heartbeat],
      );
      return id;
    };
    const alive = await insert('running', '0 s');
    await env.app.get(ExportClerk).carryOut(alive);
    const dead = await insert('running', '10 min');
    const { body } = await env.post('/api/audit/exports', { format: 'csv' }).expect(202);
    await redis.flushall();
    for (const id of [dead, (body as { id: string }).id]) {
      await eventually(async () => expect((await env.get(`/api/audit/exports/${id}`)).body).toMatchObject({ status: 'completed' }));
    }
    expect((await env.get(`/api/audit/exports/${alive}`)).body).toMatchObject({ status: 'running' });
    await env.get(`/api/audit/exports/${alive}/download`).expect(409);
    redis.disconnect();
  });

  it('has the file of the attempt that finished it, whatever an earlier one still writes', async () => {
    const { id } = (await env.post('/api/audit/exports', { format: 'ndjson', filter: { action: 'export.one' } }).expect(202)).body as { id: string };
    const [clerk, writer, path] = [env.app.get(ExportClerk), env.app.get(ExportWriter), join(env.artifacts, 'exports', `${id}.ndjson`)];
    await eventually(async () => expect((await env.get(`/api/audit/exports/${id}`)).body).toMatchObject({ status: 'completed' }));
    const write = writer.write.bind(writer);
    const spy = jest.spyOn(writer, 'write').mockImplementationOnce(async (...args) => {
      const late = await write(...args);
      await env.sql(`UPDATE audit_exports SET attempt = attempt + 1, status = 'completed', sha256 = 'of the other' WHERE id = $1`, [id]);
      writeFileSync(path, 'the other');
      return late;
    });
    // As it is found when its worker was silent for too long.
    await env.sql(`UPDATE audit_exports SET status = 'running', heartbeat_at = now() - interval '10 min' WHERE id = $1`, [id]);
    await clerk.carryOut(id);
    await eventually(() => expect(spy).toHaveBeenCalledTimes(1));
    await eventually(() => expect(readdirSync(join(env.artifacts, 'exports')).filter((name) => name.startsWith(id))).toEqual([`${id}.ndjson`]));
    expect(readFileSync(path, 'utf8')).toBe('the other');
    expect(await env.sql('SELECT status, sha256 FROM audit_exports WHERE id = $1', [id])).toEqual([{ status: 'completed', sha256: 'of the other' }]);
    spy.mockRestore();
  });

  it('leaves an order to the next worker when this one stops, and never lets two finish it', async () => {
    for (let n = 0; n < 200; n++) await desk.record({ detail: { filler: 'x'.repeat(2_000) } });
    const workers = await Promise.all([1, 2, 3].map(() => startAudit(env)));
    const ids = await Promise.all(
      Array.from({ length: 6 }, async () => ((await env.post('/api/audit/exports', { format: 'ndjson' }).expect(202)).body as { id: string }).id),
    );
    await eventually(async () =>
      expect(await env.sql(`SELECT 1 FROM audit_exports WHERE status <> 'queued' AND id = ANY($1)`, [ids])).not.toEqual([]),
    );
    await Promise.all(workers.map((worker) => worker.close()));
    await eventually(async () =>
      expect(await env.sql(`SELECT 1 FROM audit_exports WHERE status = 'completed' AND id = ANY($1)`, [ids])).toHaveLength(6),
    );
    for (const id of ids) expect((await verifyFile(join(env.artifacts, 'exports', `${id}.ndjson`))).complete).toBe(true);
  });

  it('shows what somebody with all power over the database did to a row', async () => {
    await desk.waitUntilSealed();
    const [row] = await env.sql<{ audit_id: string; position: string }>(
      `SELECT audit_id, position FROM audit_seals ORDER BY position OFFSET 12 LIMIT 1`,
    );
    const asSuperuser = (text: string): Promise<unknown> =>
      env.sql(`DO $$ BEGIN ALTER TABLE audit_log DISABLE TRIGGER USER; ${text} ALTER TABLE audit_log ENABLE TRIGGER USER; END $$`);
    await asSuperuser(`UPDATE audit_log SET outcome = 'refused' WHERE id = '${row?.audit_id}';`);
    for (const [name, filter] of [
      ['all', undefined],
      ['some', { outcome: 'refused' }],
    ] as const) {
      const file = save(`tampered-${name}.ndjson`, (await desk.export('ndjson', filter)).bytes);
      await expect(verifyFile(file)).rejects.toThrow(`row ${row?.position} was changed`);
    }
    await asSuperuser(`DELETE FROM audit_log WHERE id = '${row?.audit_id}';`);
    await expect(verifyFile(save('deleted.ndjson', (await desk.export('ndjson')).bytes))).rejects.toThrow(`row ${row?.position} is missing`);
  });
});
