import { Client } from 'pg';
import { v7 as uuid } from 'uuid';
import { Presence } from '../src/clients/presence';
import { eventually, TestEnvironment } from './support/environment';

const WAITING = `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'WITH dead AS%'`;

describe('Presence', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  const statusOf = async (id: string): Promise<string | undefined> => {
    const [row] = await env.sql<{ status: string }>('SELECT status FROM clients WHERE id = $1', [id]);
    return row?.status;
  };

  it('takes nobody for gone who comes while it compares', async () => {
    const presence = env.app.get(Presence, { strict: false });
    const client = await env.client('late-comer');
    const { id } = client;
    const holder = new Client({ connectionString: env.databaseUrl });
    await holder.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT 1 FROM gateways WHERE id = $1 FOR UPDATE', [presence.gatewayId]);
    // It knows of no connection yet, and has to wait.
    const beaten = presence.beat([]);
    await env.connect(client);
    await eventually(async () => expect(await statusOf(id)).toBe('online'));
    await holder.query('ROLLBACK');
    await holder.end();
    await beaten;
    expect(await statusOf(id)).toBe('online');
  });

  it('finds a row that no connection stands for, and one that an outage left offline', async () => {
    const { gatewayId } = env.app.get(Presence, { strict: false });
    const [gone, here] = [await env.client('gone'), await env.client('here')];
    await env.connect(here);
    await eventually(async () => expect(await statusOf(here.id)).toBe('online'));
    await env.sql(`UPDATE clients SET status = 'online', gateway_id = $2, connection_id = $3 WHERE id = $1`, [gone.id, gatewayId, uuid()]);
    await env.sql(`UPDATE clients SET status = 'offline' WHERE id = $1`, [here.id]);
    await eventually(async () => expect([await statusOf(gone.id), await statusOf(here.id)]).toEqual(['offline', 'online']));
  });

  it('finds who came while the gateway stopped, and is not known any more', async () => {
    const presence = env.app.get(Presence, { strict: false });
    const [orphan, fresh] = [await env.client('orphan'), await env.client('fresh')];
    for (const { id } of [orphan, fresh]) {
      await env.sql(`UPDATE clients SET status = 'online', gateway_id = $2, connection_id = $3, last_seen_at = now() WHERE id = $1`, [id, uuid(), uuid()]);
    }
    await env.sql(`UPDATE clients SET last_seen_at = now() - interval '1 minute' WHERE id = $1`, [orphan.id]);
    Object.assign(presence, { orphansSoughtAt: -Infinity });
    await presence.buryDead();
    expect([await statusOf(orphan.id), await statusOf(fresh.id)]).toEqual(['offline', 'online']);
  });

  it('waits for the clients of a dead gateway in the order in which they are handed work, and holds none meanwhile', async () => {
    const [first, second] = [await env.client('first'), await env.client('second')];
    const dead = uuid();
    // A look at the table finds the second before the first, whose row is newer.
    for (const { id } of [second, first]) await env.sql(`UPDATE clients SET status = 'online', gateway_id = $2, last_seen_at = now() WHERE id = $1`, [id, dead]);
    const holder = new Client({ connectionString: env.databaseUrl });
    await holder.connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT 1 FROM clients WHERE id = $1 FOR NO KEY UPDATE', [first.id]);
      await env.sql(`INSERT INTO gateways (id, seen_at) VALUES ($1, now() - interval '1 hour')`, [dead]);
      await eventually(async () => expect(await env.sql(WAITING)).toHaveLength(1));
      await holder.query('SELECT 1 FROM clients WHERE id = $1 FOR NO KEY UPDATE NOWAIT', [second.id]);
      await holder.query('ROLLBACK');
    } finally {
      await holder.end();
    }
    await eventually(async () => expect([await statusOf(first.id), await statusOf(second.id)]).toEqual(['offline', 'offline']));
  });
});
