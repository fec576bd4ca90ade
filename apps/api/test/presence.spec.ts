import { Client } from 'pg';
import { v7 as uuid } from 'uuid';
import { Presence } from '../src/clients/presence';
import { eventually, TestEnvironment } from './support/environment';

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
});
