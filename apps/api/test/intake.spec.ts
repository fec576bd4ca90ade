import { v7 as uuid } from 'uuid';
import { CommandStore } from '../src/commands/command-store';
import { HotDatabase } from '../src/core/database/hot-database';
import type { Statement } from '../src/core/database/statement';
import { eventually, TestEnvironment } from './support/environment';

/** Nothing is found by a round of the sweepers here: what goes is handed out when it is stored, or when a slot is freed. */
describe('what may go at once', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create({ SWEEP_MS: '3600000' })));
  afterAll(() => env.destroy());

  const statesOf = async (ids: string[]): Promise<string[]> => {
    const rows = await env.sql<{ id: string; status: string }>('SELECT id, status FROM commands WHERE id = ANY($1)', [ids]);
    return ids.map((id) => rows.find((row) => row.id === id)?.status ?? 'gone');
  };
  const planOf = async ({ text, values }: Pick<Statement, 'text' | 'values'>): Promise<string> => {
    const lines = await env.app.get(HotDatabase).query<{ 'QUERY PLAN': string }[]>(`EXPLAIN ${text}`, [...values]);
    return lines.map((line) => line['QUERY PLAN']).join('\n');
  };
  const later = (ms: number): string => new Date(Date.now() + ms).toISOString();

  it('is stored as handed out, with its whole history, and answered as it was created', async () => {
    const client = await env.client('ready');
    const agent = await env.connect(client);
    const { body } = await env
      .post('/api/commands', { clientId: client.id, action: 'noop', payload: { echo: { z: 1, a: [null, 'é', 1.5] } }, priority: 7, timeoutMs: 60_000, notBefore: '2026-01-01T09:00:00+09:00' })
      .expect(201);
    const answer = body as Record<string, unknown>;
    await eventually(() => expect(agent.received).toEqual([
      { id: answer['id'], action: 'noop', payload: { echo: { z: 1, a: [null, 'é', 1.5] } }, priority: 7, attempt: 1, timeoutMs: 60_000 },
    ]));
    expect(answer).toMatchObject({ status: 'pending', attempt: 1, result: null, dispatchedAt: null, notBefore: '2026-01-01T00:00:00.000Z' });
    const read = (await env.get(`/api/commands/${String(answer['id'])}`).expect(200)).body as Record<string, unknown>;
    expect(read).toEqual({ ...answer, status: 'dispatched', dispatchedAt: answer['createdAt'] });
    const history = await env.sql(
      'SELECT revision, event_type, xid = min(xid) OVER () AS together FROM command_logs WHERE command_id = $1 ORDER BY revision', [answer['id']],
    );
    expect(history).toEqual([{ revision: 1, event_type: 'created', together: true }, { revision: 2, event_type: 'dispatched', together: true }]);
  });

  it('is as much as there are slots, the best of what comes together', async () => {
    const client = await env.client('two-slots', { concurrency: 2 });
    const agent = await env.connect(client);
    const priorities = [1, 8, 3, 9, 2, 7, 4];
    const ids = await Promise.all(priorities.map((priority) => env.command(client.id, { priority })));
    for (let left = ids.length; left > 0; left--) {
      await eventually(() => expect(agent.received).toHaveLength(Math.min(ids.length - left + 2, ids.length)));
      expect((await statesOf(ids)).filter((state) => state === 'dispatched')).toHaveLength(Math.min(left, 2));
      expect(await agent.post(`/api/commands/${agent.received[ids.length - left]?.id}/result`, { success: true })).toBe(200);
    }
    // Whatever arrived first, the last that waits is the least of all.
    expect(agent.received.slice(3).map(({ priority }) => priority)).toEqual([...agent.received.slice(3)].map(({ priority }) => priority).sort((a, b) => b - a));
    expect(await statesOf(ids)).toEqual(ids.map(() => 'completed'));
  });

  it('is what nothing that is due should go before', async () => {
    const client = await env.client('in-order', { concurrency: 1 });
    const agent = await env.connect(client);
    const wait = async (): Promise<string> => {
      const id = await env.command(client.id, { priority: 5, notBefore: later(200) });
      await eventually(async () => expect(await env.sql('SELECT FROM commands WHERE id = $1 AND due_at <= now()', [id])).toHaveLength(1));
      expect(await statesOf([id])).toEqual(['pending']);
      return id;
    };
    const first = await wait();
    const better = await env.command(client.id, { priority: 6 });
    expect(await statesOf([first, better])).toEqual(['pending', 'dispatched']);
    await agent.post(`/api/commands/${better}/result`, { success: true });
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([better, first]));
    await agent.post(`/api/commands/${first}/result`, { success: true });
    const second = await wait();
    const equal = await env.command(client.id, { priority: 5 });
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([better, first, second]));
    expect(await statesOf([second, equal])).toEqual(['dispatched', 'pending']);
  });

  it('is nothing whose time has not come, or has passed, and nothing for a client that is away', async () => {
    const client = await env.client('patient');
    await env.connect(client);
    const away = await env.client('away');
    const ids = [await env.command(client.id, { notBefore: later(60_000) }), await env.command(away.id)];
    const goes = await env.command(client.id, { expiresAt: later(60_000) });
    expect(await statesOf([...ids, goes])).toEqual(['pending', 'pending', 'dispatched']);
  });

  it('is nothing that was allowed by rights that have changed since', async () => {
    const client = await env.client('revoked');
    const agent = await env.connect(client);
    const [admin] = await env.sql<{ id: string; version: number }>('SELECT id, rights_version AS version FROM users ORDER BY created_at LIMIT 1');
    const { id: createdBy = '', version = 0 } = admin ?? {};
    const settings = {
      batchId: null, action: 'noop', payload: {}, priority: 10, timeoutMs: 60_000, notBefore: null, expiresAt: null, maxAttempts: 1, createdBy,
      secretParameters: [], sealedSecrets: null,
    };
    const [stale, current] = [uuid(), uuid()];
    for (const [id, rightsVersion] of [[stale, version - 1], [current, version]] as const) {
      const store = env.app.get(CommandStore);
      await env.app.get(HotDatabase).together([store.hold([client.id]), store.insert({ ...settings, rightsVersion }, [id], [client.id], true)]);
    }
    expect(await statesOf([stale, current])).toEqual(['pending', 'dispatched']);
    agent.disconnect();
  });

  it('is one emergency more than there are slots, alone or in a batch', async () => {
    const [client, other, off] = [await env.client('full', { concurrency: 1 }), await env.client('full-too', { concurrency: 1 }), await env.client('full-and-off')];
    const agents = [await env.connect(client), await env.connect(other)];
    const ids = [await env.command(client.id), await env.command(other.id)];
    const more = [await env.command(client.id), await env.command(client.id, { priority: 10 }), await env.command(client.id, { priority: 10 })];
    expect(await statesOf([...ids, ...more])).toEqual(['dispatched', 'dispatched', 'pending', 'dispatched', 'pending']);
    const targets = { clientIds: [client.id, other.id, off.id] };
    const { body } = await env.post('/api/commands/batch', { targets, action: 'noop', payload: {}, priority: 10 }).expect(201);
    const batch = await env.sql<{ name: string; status: string; revision: number; events: string[] }>(
      `SELECT c.name, m.status, m.revision, ARRAY(SELECT event_type FROM command_logs l WHERE l.command_id = m.id ORDER BY l.revision) AS events
       FROM commands m JOIN clients c ON c.id = m.client_id WHERE batch_id = $1 ORDER BY 1`, [(body as { batchId: string }).batchId],
    );
    expect(batch).toEqual([
      { name: 'full', status: 'pending', revision: 1, events: ['created'] },
      { name: 'full-and-off', status: 'pending', revision: 1, events: ['created'] },
      { name: 'full-too', status: 'dispatched', revision: 2, events: ['created', 'dispatched'] },
    ]);
    await eventually(() => expect(agents.map(({ received }) => received.length)).toEqual([2, 2]));
  });

  it('is looked at once for each command, and its client is found by its id, also in a plan that is made while few clients are known', async () => {
    const store = env.app.get(CommandStore);
    const storing = await planOf(store.insertAll([]));
    expect([storing.match(/commands_in_flight on/g), storing.match(/commands_claim on/g)]).toEqual([['commands_in_flight on'], ['commands_claim on']]);
    for (const holding of [store.hold([uuid()]), store.requireAndHold([uuid()])]) {
      const plan = await planOf(holding);
      expect(plan).toMatch(/clients_pkey/);
      expect(plan).not.toMatch(/clients_name|Seq Scan/);
    }
  });

  it('is claimed from its client\'s own queue, also by a plan that is made while few are known to wait', async () => {
    const [store, client] = [env.app.get(CommandStore), await env.client('queue-of-its-own')];
    await env.sql(`INSERT INTO clients (id, name, concurrency) SELECT gen_random_uuid(), 'busy-before-' || n, 4 FROM generate_series(1, 1000) n`);
    await env.sql(
      `INSERT INTO commands (id, client_id, action, payload, status, priority, timeout_ms, max_attempts, due_at, created_by, authorized_by, rights_version)
       SELECT gen_random_uuid(), c.id, 'noop', '{}', 'pending', 5, 60000, 1, now(), u.id, u.id, 1
       FROM users u, clients c, generate_series(1, 3) WHERE c.name LIKE 'busy-before-%'`,
    );
    // The indexes of what waits and is in flight are as large as they were, and nothing is in them any more.
    for (const to of ['dispatched', 'running', 'completed']) {
      await env.sql(`UPDATE commands SET status = $1 WHERE client_id IN (SELECT id FROM clients WHERE name LIKE 'busy-before-%')`, [to]);
    }
    await env.sql('ANALYZE commands');
    const asked: Pick<Statement, 'text' | 'values'>[] = [store.claim([client.id]), store.insertAll([])];
    await store.starving([client.id], {
      query: <T>(text: string, values: unknown[] = []) => {
        asked.push({ text, values: values as Statement['values'] });
        return Promise.resolve([] as T);
      },
    });
    for (const statement of asked) {
      const plan = await planOf(statement);
      expect(plan).toMatch(/commands_in_flight on/);
      expect(plan).toMatch(/commands_claim on/);
      // By an id it may look there as well: while all have ended in one way, both cost the same.
      expect(plan).not.toMatch(/commands_by_phase[^\n]*\n(?!\s*Index Cond: \(id = ANY)/);
    }
    expect(asked).toHaveLength(3);
  });

  it('is started without an entry in any index', async () => {
    const client = await env.client('started');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    const columns = async (): Promise<Record<string, unknown>> => (await env.sql<{ row: Record<string, unknown> }>('SELECT to_jsonb(c) AS row FROM commands c WHERE id = $1', [id]))[0]?.row ?? {};
    const before = await columns();
    expect(await agent.post(`/api/commands/${id}/start`, {})).toBe(200);
    const after = await columns();
    const changed = Object.keys(after).filter((name) => JSON.stringify(after[name]) !== JSON.stringify(before[name]));
    expect(changed).toEqual(expect.arrayContaining(['status', 'started_at', 'revision']));
    const indexed = await env.sql<{ name: string }>(
      `SELECT DISTINCT a.attname AS name FROM pg_index i
       JOIN pg_depend d ON d.objid = i.indexrelid AND d.refobjid = i.indrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = d.refobjsubid
       WHERE i.indrelid = 'commands'::regclass`,
    );
    expect(indexed.map(({ name }) => name)).toEqual(expect.arrayContaining(['client_id', 'deadline_at', 'phase']));
    expect(indexed.filter(({ name }) => changed.includes(name))).toEqual([]);
  });
});
