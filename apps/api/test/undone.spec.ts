import { Client } from 'pg';
import { eventually, TestEnvironment } from './support/environment';

/** The one who has waited longest is undone: not the stranger here. */
const STRANGERS_PATIENCE = '10s';

describe('a change that PostgreSQL undoes for the sake of another', () => {
  let env: TestEnvironment;
  let stranger: Client;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    stranger = new Client({ connectionString: env.databaseUrl });
    await stranger.connect();
  });
  afterAll(async () => {
    await stranger.end();
    await env.destroy({ deadlocks: 1 });
  });

  it('is answered 503, has done nothing, and is done when it is asked for again', async () => {
    const client = await env.client('wanted-by-two');
    const id = await env.command(client.id);
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    const state = (): Promise<object[]> =>
      env.sql('SELECT status, attempt, revision, (SELECT count(*)::integer FROM command_logs WHERE command_id = id) AS events FROM commands WHERE id = $1', [id]);
    const before = await state();
    await stranger.query(`BEGIN; SET LOCAL deadlock_timeout = '${STRANGERS_PATIENCE}'`);
    await stranger.query('SELECT FROM commands WHERE id = $1 FOR UPDATE', [id]);
    const retry = env.post(`/api/commands/${id}/retry`).then((answer) => answer);
    await eventually(async () => expect(await env.sql(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)).toHaveLength(1));
    await stranger.query('SELECT FROM clients WHERE id = $1 FOR UPDATE', [client.id]);
    const { status, headers, body } = await retry;
    expect([status, headers['retry-after'], (body as { code: string }).code]).toEqual([503, '2', 'transaction_undone']);
    expect(await state()).toEqual(before);
    await stranger.query('ROLLBACK');
    await env.post(`/api/commands/${id}/retry`).expect(200);
    expect(await state()).toEqual([{ status: 'pending', attempt: 2, revision: 3, events: 3 }]);
  });
});
