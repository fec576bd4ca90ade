import { EMERGENCY_PRIORITY } from '@gwanje/contracts';
import { DataSource } from 'typeorm';
import { CommandSweeps } from '../src/commands/command-sweeps';
import { eventually, TestEnvironment } from './support/environment';

const ALLOWED = (): Promise<null> => Promise.resolve(null);
const IDLE = 1_000;
const WAITING = 5_000;
/** Of each that is idle. */
const DONE = 20;
/** Of PostgreSQL, each of 8 KiB: a look at each index and at the few clients that it leads to, and not at every command for every client. */
const MOST_PAGES = 2_000;

describe('the sweeper', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create({ SWEEP_MS: '600000' })));
  afterAll(() => env.destroy());

  /** A command of the admin's. */
  const put = (clientId: string | undefined, status: string, priority: number): Promise<unknown> =>
    env.sql(
      `INSERT INTO commands (id, client_id, action, payload, status, priority, timeout_ms, max_attempts, due_at, created_by, authorized_by, rights_version)
       SELECT gen_random_uuid(), $1, 'noop', '{}', $2, $3, 60000, 1, now(), id, id, rights_version FROM users`,
      [clientId, status, priority],
    );

  it('passes over a client whose slots are taken, unless an emergency waits for it', async () => {
    const clients = await env.sql<{ id: string }>(
      `INSERT INTO clients (id, name, status, concurrency) SELECT gen_random_uuid(), 'full-' || n, 'online', 1 FROM generate_series(1, 2) n RETURNING id`,
    );
    const [full, free] = clients.map(({ id }) => id).sort();
    await put(full, 'running', 5);
    await put(full, 'pending', 9);
    await put(free, 'pending', 5);
    const sweeps = env.app.get(CommandSweeps, { strict: false });
    expect(await sweeps.findStarving(1)).toEqual([free]);
    await put(full, 'pending', EMERGENCY_PRIORITY);
    expect(await sweeps.findStarving(2)).toEqual([full, free]);
    await put(full, 'running', EMERGENCY_PRIORITY);
    expect(await sweeps.findStarving(2)).toEqual([free]);
    await env.sql('DELETE FROM commands');
    await env.sql(`DELETE FROM clients WHERE name LIKE 'full-%'`);
  });

  it('puts no doubt aside while something waits by other rights, be it locked', async () => {
    const { id } = await env.client('doubtful');
    await env.sql(`UPDATE clients SET status = 'online' WHERE id = $1`, [id]);
    await put(id, 'pending', 5);
    await env.sql(`UPDATE users SET rights_version = rights_version + 1, rights_doubted = true, rights_changed_at = now() - interval '2 minutes'`);
    const sweeps = env.app.get(CommandSweeps, { strict: false });
    const isDoubted = async (): Promise<boolean> => (await env.sql('SELECT 1 FROM users WHERE rights_doubted')).length > 0;
    expect(await sweeps.findStarving(1)).toEqual([]);
    await env.app.get(DataSource).transaction(async (another) => {
      await another.query('SELECT 1 FROM commands FOR UPDATE');
      await sweeps.judgeDoubtful(500, ALLOWED);
    });
    expect(await isDoubted()).toBe(true);
    await sweeps.judgeDoubtful(500, ALLOWED);
    expect([await isDoubted(), await sweeps.findStarving(1)]).toEqual([false, [id]]);
    await env.sql('DELETE FROM commands');
  });

  it('cancels what waits for a client that was removed, however long ago', async () => {
    const [removed, other] = [await env.client('long-gone'), await env.client('still-there')];
    for (const { id } of [removed, other]) {
      for (const status of ['pending', 'dispatched', 'running']) await put(id, status, 5);
    }
    await env.sql(`UPDATE clients SET deleted_at = now() - interval '3 days' WHERE id = $1`, [removed.id]);
    const cancelled = await env.app.get(CommandSweeps, { strict: false }).cancelOrphans(500);
    expect(cancelled.map(({ clientId }) => clientId)).toEqual([removed.id, removed.id]);
    const states = async ({ id }: { id: string }): Promise<string[]> =>
      (await env.sql<{ status: string }>('SELECT status FROM commands WHERE client_id = $1 ORDER BY status', [id])).map(({ status }) => status);
    expect([await states(removed), await states(other)]).toEqual([['cancelled', 'cancelled', 'running'], ['dispatched', 'pending', 'running']]);
    await env.sql('DELETE FROM commands');
  });

  it('leaves what has started its whole time, however long after its hand-out that was', async () => {
    const client = await env.client('slow-to-start');
    const agent = await env.connect(client);
    const [early, late, waiting] = [await env.command(client.id), await env.command(client.id), await env.command(client.id)];
    await eventually(() => expect(agent.received).toHaveLength(3));
    for (const id of [early, late]) expect(await agent.post(`/api/commands/${id}/start`, {})).toBe(200);
    await env.sql(`UPDATE commands SET deadline_at = now() WHERE id = ANY($1)`, [[early, late, waiting]]);
    await env.sql(`UPDATE commands SET started_at = started_at - make_interval(secs => timeout_ms / 1000.0) WHERE id = $1`, [early]);
    const timedOut = await env.app.get(CommandSweeps, { strict: false }).timeOut(10);
    expect(timedOut.map(({ id }) => id).sort()).toEqual([early, waiting].sort());
    expect((await env.get(`/api/commands/${late}`).expect(200)).body).toMatchObject({ status: 'running' });
  });

  it('finds the one client with work among a thousand without, and reads little for it', async () => {
    const { id: busy } = await env.client('busy');
    await env.sql(`INSERT INTO clients (id, name, status) SELECT gen_random_uuid(), 'idle-' || n, 'online' FROM generate_series(1, ${IDLE}) n`);
    await env.sql(
      `INSERT INTO commands (id, client_id, action, payload, priority, timeout_ms, max_attempts, due_at, created_by, authorized_by, rights_version)
       SELECT gen_random_uuid(), $1, 'noop', '{}', 5, 60000, 1, now(), id, id, rights_version FROM users, generate_series(1, ${WAITING})`,
      [busy],
    );
    await env.sql(
      `INSERT INTO commands (id, client_id, action, payload, status, priority, timeout_ms, max_attempts, due_at, created_by, authorized_by, rights_version)
       SELECT gen_random_uuid(), c.id, 'noop', '{}', 'completed', 5, 60000, 1, now(), u.id, u.id, 1 FROM users u, clients c, generate_series(1, ${DONE}) WHERE c.name LIKE 'idle-%'`,
    );
    await env.sql(`UPDATE clients SET status = 'online' WHERE id = $1`, [busy]);
    await env.sql('ANALYZE');
    const database = env.app.get(DataSource);
    const asked = jest.spyOn(database, 'query');
    const sweeps = env.app.get(CommandSweeps, { strict: false });
    expect([await sweeps.findStarving(500), await sweeps.cancelOrphans(500)]).toEqual([[busy], []]);
    let pages = 0;
    for (const [text, values] of asked.mock.calls.filter(([sql]) => sql.includes('clients c'))) {
      const [plan] = await env.sql<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(`EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ${text}`, values as unknown[]);
      const { Plan: whole } = plan?.['QUERY PLAN'][0] ?? { Plan: {} };
      pages += (whole['Shared Hit Blocks'] ?? NaN) + (whole['Shared Read Blocks'] ?? NaN);
    }
    expect(pages).toBeGreaterThan(0);
    expect(pages).toBeLessThan(MOST_PAGES);
  });
});
