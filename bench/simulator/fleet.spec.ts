import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually, TestEnvironment } from '../../apps/api/test/support/environment';
import { TcpProxy } from '../../apps/api/test/support/tcp-proxy';
import { Fleet } from './fleet';
import { type FleetSettings, TRANSPORT_NAMES } from './terms';
import type { Identity } from './transport';

const MACHINES = 8;
const ROUNDS = 6;
const PATIENCE_MS = 60_000;

jest.setTimeout(1.5 * PATIENCE_MS);

describe.each(TRANSPORT_NAMES)('simulated agents over %s', (transport) => {
  let env: TestEnvironment;
  let network: TcpProxy;
  let identities: Identity[];
  let fleet: Fleet;

  beforeAll(async () => {
    env = await TestEnvironment.create();
    identities = [];
    for (let n = 1; n <= MACHINES; n++) {
      const name = `simulated-${n}`;
      const { id, clientKey: key } = await env.client(name);
      identities.push({ id, name, key });
    }
  });
  afterAll(() => env.destroy());
  beforeEach(async () => (network = await TcpProxy.create(env.url)));
  afterEach(async () => {
    fleet.close();
    await network.close();
  });

  const connect = async (settings: Partial<FleetSettings> = {}): Promise<void> => {
    const conduct = 'full';
    fleet = new Fleet({
      ...{ url: network.url, identities, transport, conduct, output: true, workMs: 0, sockets: 8 },
      ...settings,
    });
    await fleet.connect(MACHINES);
  };
  const settled = (count: number): Promise<void> =>
    eventually(() => expect(fleet.tally.settled).toBeGreaterThanOrEqual(count), PATIENCE_MS);

  it('lose nothing and do nothing twice when all connections end in the middle of their work', async () => {
    await connect({ workMs: 20 });
    const ids: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      for (const { id } of identities) ids.push(await env.command(id));
      network.cut();
      network.mend();
      await settled(ids.length - MACHINES);
    }
    await settled(ids.length);
    const lives = fleet.takeLives();
    expect(lives.map(({ id }) => id).sort()).toEqual([...ids].sort());
    const stored = await env.sql<{ id: string; attempt: number; data: unknown }>(
      `SELECT id, attempt, result->'data' AS data FROM commands WHERE status = 'completed'`,
    );
    const byId = new Map(stored.map(({ id, ...what }) => [id, what]));
    expect(lives.map(({ id }) => byId.get(id))).toEqual(lives.map(({ data }) => ({ attempt: 1, data })));
    expect(await env.sql(`SELECT command_id, event_type FROM command_logs GROUP BY 1, 2 HAVING count(*) > 1`)).toEqual(
      [],
    );
    expect(await env.sql(`SELECT command_id, seq FROM command_outputs GROUP BY 1, 2 HAVING count(*) > 1`)).toEqual([]);
  });

  it('say a result again whose answer did not come', async () => {
    const [machine] = identities;
    if (!machine) throw new Error('there is no machine');
    await connect({ identities: [machine], output: false, conduct: 'brief' });
    // The result is the first thing that such an agent says.
    network.cutBefore(transport === 'ws' ? '"event":"answer","ref":0' : 'HTTP/1.1 200');
    const id = await env.command(machine.id);
    await settled(1);
    expect(network.hasCut).toBe(true);
    expect(fleet.tally.troubles.length).toBeGreaterThan(0);
    expect(fleet.tally.troubles.filter((trouble) => !trouble.startsWith('result: '))).toEqual([]);
    expect(fleet.takeLives()).toEqual([expect.objectContaining({ id, attempt: 1 })]);
    expect(
      await env.sql(`SELECT outcome FROM audit_log WHERE action = 'commands.result' AND target_id = $1`, [id]),
    ).toEqual([{ outcome: 'done' }]);
    await eventually(() => expect(fleet.tally.connected).toBe(1));
  });
});

it('simulated agents say it when a server serves no WebSocket', async () => {
  const server = createServer((_, answer) => answer.writeHead(404).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const identities = [{ id: 'a', name: 'a', key: 'none' }];
  const fleet = new Fleet({ url, identities, transport: 'ws', conduct: 'full', output: false, workMs: 0, sockets: 1 });
  try {
    await expect(fleet.connect(1)).rejects.toThrow('serves no WebSocket');
  } finally {
    fleet.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});
