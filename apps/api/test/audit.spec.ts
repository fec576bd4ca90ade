import type { AuditItem } from '@gwanje/contracts';
import request from 'supertest';
import { DataSource } from 'typeorm';
import { AuditDesk } from './support/audit';
import { eventually, TestEnvironment } from './support/environment';

describe('the audit log', () => {
  let env: TestEnvironment;
  let desk: AuditDesk;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    desk = new AuditDesk(env);
  });
  afterAll(() => env.destroy());

  it('says who did what to what, from where and by which request', async () => {
    const client = await env.client('till-1');
    const id = await env.command('till-1', {});
    const [command] = await desk.list(`target=${id}`);
    expect(command).toMatchObject({
      actor: { type: 'user', name: 'admin@example.com', tokenId: null },
      action: 'commands.create',
      target: { type: 'command', id },
      clientId: client.id,
      outcome: 'done',
      address: '127.0.0.1',
    });
    expect(command?.requestId).toBeTruthy();
    expect(command?.at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    await eventually(async () => expect((await desk.list(`target=${id}`))[0]?.position).toBeGreaterThan(0));
  });

  it('keeps no secret, however deep, and no text that PostgreSQL cannot hold', async () => {
    const key = `sk_till1_${'x'.repeat(32)}`;
    await desk.record({
      target: { type: 'thing', id: 'secrets\u0000', name: key },
      before: { settings: [{ password: 'hunter2', name: 'kept' }] },
      after: { refreshToken: 'abc' },
      detail: { said: `use ${key}`, odd: 'a\u0000b\ud800' },
    });
    const [item] = await desk.list(`target=${encodeURIComponent('secrets\ufffd')}`);
    expect(item).toMatchObject({
      target: { name: '[redacted]' },
      before: { settings: [{ password: '[redacted]', name: 'kept' }] },
      after: { refreshToken: '[redacted]' },
      detail: { said: 'use [redacted]', odd: 'a\ufffdb\ufffd' },
    });
    expect(JSON.stringify(await env.sql('SELECT * FROM audit_log'))).not.toMatch(/hunter2|sk_till1_x/);
  });

  it('bounds what one row holds', async () => {
    await desk.record({ target: { type: 'thing', id: 'large' }, detail: { text: '값'.repeat(50_000) } });
    const [item] = await desk.list('target=large');
    expect(item?.detail).toMatchObject({
      truncated: true,
      bytes: 150_011,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      start: expect.stringMatching(/^{"text":"값/),
    });
  });

  it('filters by each part, and pages newest first', async () => {
    for (let n = 0; n < 5; n++) await desk.record({ action: 'paged.one', target: { type: 'page', id: `p-${n}` } });
    await desk.record({ action: 'paged.two', target: { type: 'page', id: 'p-5' }, outcome: 'refused' });
    await desk.record({ action: 'pagedlike', target: { type: 'page', id: 'p-6' } });
    const ids = (items: AuditItem[]): (string | null)[] => items.map(({ target }) => target.id);
    expect(ids(await desk.list('action=paged.*'))).toEqual(['p-5', 'p-4', 'p-3', 'p-2', 'p-1', 'p-0']);
    expect(ids(await desk.list('action=paged.two'))).toEqual(['p-5']);
    expect(ids(await desk.list('action=paged.*&outcome=done'))).toHaveLength(5);
    expect(ids(await desk.list('outcome=refused'))).toEqual(['p-5']);
    expect(ids(await desk.list('target=p-3'))).toEqual(['p-3']);
    const [middle] = await desk.list('target=p-3');
    expect(ids(await desk.list(`action=paged.*&from=${middle?.at ?? ''}`))).toEqual(['p-5', 'p-4', 'p-3']);
    expect(ids(await desk.list(`action=paged.*&to=${middle?.at ?? ''}`))).toEqual(['p-2', 'p-1', 'p-0']);
    expect(await desk.list('actor=ADMIN@example.com&action=clients.*')).toHaveLength(1);
    const [by] = await desk.list('actor=admin@example.com');
    expect(await desk.list(`actor=${by?.actor.id ?? ''}&action=clients.*`)).toHaveLength(1);
    const seen: (string | null)[] = [];
    for (let cursor = ''; ;) {
      const { body } = await env.get(`/api/audit?action=paged.*&limit=2${cursor && `&cursor=${cursor}`}`).expect(200);
      const { items, nextCursor } = body as { items: AuditItem[]; nextCursor: string | null };
      seen.push(...ids(items));
      if (!nextCursor) break;
      cursor = nextCursor;
    }
    expect(seen).toEqual(['p-5', 'p-4', 'p-3', 'p-2', 'p-1', 'p-0']);
  });

  it.each([
    ['action=a..b', 'action'],
    ['action=*', 'action'],
    ['from=yesterday', 'from'],
    ['from=2026-02-30', 'from'],
    ['to=0000-01-01', 'to'],
    ['to=2026-01-01T00:00:00', 'to'],
    ['outcome=maybe', 'outcome'],
    ['limit=0', 'limit'],
    ['cursor=x', 'cursor'],
    ['target=%00', 'target'],
    ['actor=a&actor=b', 'actor'],
    ['other=1', 'other'],
    ['cursor=01890000-0000-7000-8000-000000000000', 'cursor'],
  ])('names the fault of ?%s', async (query, path) => {
    const { body } = await env.get(`/api/audit?${query}`).expect(400);
    expect((body as { errors: { path: string }[] }).errors.map((error) => error.path)).toContain(path);
  });

  it('shows somebody whose rights do not hold everywhere only what they did themselves', async () => {
    const { id, token } = await desk.auditorOfLittle('little@example.com');
    await request(env.url).post('/api/audit/exports').set('Authorization', `Bearer ${token}`).send({ format: 'csv' }).expect(202);
    const items = await desk.list('', token);
    expect(items.map(({ actor, action }) => [actor.id, action])).toEqual([[id, 'audit.export'], [id, 'auth.login']]);
  });

  it('does not do what cannot be recorded', async () => {
    const before = await env.sql('SELECT id FROM commands');
    await env.sql('REVOKE INSERT ON audit_log FROM gwanje_app');
    try {
      const { body } = await env.post('/api/commands', { clientId: 'till-1', action: 'noop', payload: {} }).expect(503);
      expect(body).toMatchObject({ code: 'audit_unavailable' });
      await env.post('/api/audit/exports', { format: 'csv' }).expect(503);
    } finally {
      await env.sql('GRANT INSERT ON audit_log TO gwanje_app');
    }
    expect(await env.sql('SELECT id FROM commands')).toEqual(before);
    await env.post('/api/commands', { clientId: 'till-1', action: 'noop', payload: {} }).expect(201);
  });

  it('shows one entry as the list does, and none that does not exist', async () => {
    const { id } = await env.client('till-of-one-entry');
    await desk.waitUntilSealed();
    const [item] = await desk.list(`target=${id}`);
    expect((await env.get(`/api/audit/${item?.id ?? ''}`).expect(200)).body).toEqual(item);
    await env.get(`/api/audit/${id}`).expect(404);
    await env.get('/api/audit/nonsense').expect(404);
  });

  it('says what waits for its seal, and since when', async () => {
    await desk.waitUntilSealed();
    const unsealed = async (): Promise<unknown> => ((await env.get('/api/audit/checkpoints?limit=1').expect(200)).body as { unsealed: unknown }).unsealed;
    expect(await unsealed()).toEqual({ rows: 0, since: null });
    // Whoever holds the lock of the sealers seals; nobody else does meanwhile.
    await env.app.get(DataSource).transaction(async (transaction) => {
      await transaction.query(`SELECT pg_advisory_xact_lock(hashtext('gwanje.audit.seal'))`);
      await desk.record();
      await desk.record();
      expect(await unsealed()).toEqual({ rows: 2, since: expect.stringMatching(/^\d{4}-/) });
    });
    await desk.waitUntilSealed();
    expect(await unsealed()).toEqual({ rows: 0, since: null });
  });

  it('shows the signed checkpoints and the key', async () => {
    await desk.waitUntilSealed();
    const { body } = await env.get('/api/audit/checkpoints?limit=1').expect(200);
    const { items, nextCursor, publicKey, keys } = body as {
      items: { number: number; keyId: string }[];
      nextCursor: string;
      publicKey: string;
      keys: { id: string }[];
    };
    expect(publicKey).toMatch(/^-----BEGIN PUBLIC KEY-----/);
    expect(items[0]?.keyId).toBe(keys[0]?.id);
    const next = await env.get(`/api/audit/checkpoints?limit=1&cursor=${nextCursor}`).expect(200);
    expect((next.body as { items: { number: number }[] }).items[0]?.number).toBe((items[0]?.number ?? 0) - 1);
    expect((await request(env.url).get('/metrics')).text).toMatch(/^gwanje_audit_seal_lag_seconds [\d.]+$/m);
  });
});
