import { TcpLink } from '../../../tools/chaos/network/tcp-link';
import { eventually, TestEnvironment } from './support/environment';
import { EventReader } from './support/event-reader';
import { RealAgent } from './support/real-agent';

interface Machine {
  id: string;
  clientKey: string;
}

/** Between the agents and the server stands a network that takes everything and carries nothing. */
describe('an event stream that is half open', () => {
  let env: TestEnvironment;
  let network: TcpLink;
  const readers: EventReader[] = [];
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());
  beforeEach(async () => (network = await TcpLink.open(Number(new URL(env.url).port))));
  afterEach(async () => {
    readers.splice(0).forEach((reader) => reader.close());
    await network.close();
  });

  const stream = async ({ id, clientKey }: Machine, aliveEveryMs?: number, url = `http://127.0.0.1:${network.port}`): Promise<EventReader> => {
    const reader = await EventReader.open(`${url}/api/events/${id}${aliveEveryMs === undefined ? '' : `?aliveEveryMs=${aliveEveryMs}`}`, clientKey);
    readers.push(reader);
    await eventually(() => expect(reader.of('hello')).toHaveLength(1));
    await becomes(id, 'online');
    return reader;
  };
  const statusOf = async (id: string): Promise<unknown> => ((await env.get(`/api/clients/${id}`).expect(200)).body as { status: unknown }).status;
  const becomes = (id: string, status: string): Promise<void> => eventually(async () => expect(await statusOf(id)).toBe(status));
  const alive = async (key: string): Promise<number> =>
    (await fetch(`${env.url}/api/agents/alive`, { method: 'POST', headers: { Authorization: `Bearer ${key}` } })).status;

  it('is ended for an agent that promised to be heard, and only for that', async () => {
    const [promising, brief] = [await env.client('promising'), await env.client('brief')];
    await stream(promising, 1_000);
    await stream(brief);
    network.halfOpen();
    await becomes(promising.id, 'offline');
    expect(await statusOf(brief.id)).toBe('online');
    // What waited is sent again on the next stream.
    const id = await env.command(promising.id);
    const next = await stream(promising, 1_000);
    await eventually(() => expect(next.of<Machine>('command').map((command) => command.id)).toEqual([id]));
  });

  it('is told from one whose agent has nothing to say but that it lives', async () => {
    const [quiet, gone] = [await env.client('quiet'), await env.client('gone')];
    const kept = await stream(quiet, 1_500);
    const ended = await stream(gone, 1_500);
    await eventually(async () => {
      expect(await alive(quiet.clientKey)).toBe(204);
      expect([ended.of('bye'), ended.closed]).toEqual([[{ reason: 'silent' }], true]);
    });
    expect([kept.of('bye'), kept.closed]).toEqual([[], false]);
    await becomes(gone.id, 'offline');
    expect(await statusOf(quiet.id)).toBe('online');
  });

  it('is noticed by the server while its agent waits for a word, and the agent itself keeps what it promises', async () => {
    const machine = await env.client('real');
    const settings = { serverUrl: `http://127.0.0.1:${network.port}`, clientKey: machine.clientKey };
    const agent = await new RealAgent({ ...settings, env: { AGENT_ALIVE_MS: '2000' } }).start();
    try {
      const silent = await stream(await env.client('silent-beside'), 2_000);
      await eventually(() => expect(silent.closed).toBe(true));
      expect([agent.connections, await statusOf(machine.id)]).toEqual([1, 'online']);
      await agent.freeze();
      await becomes(machine.id, 'offline');
    } finally {
      await agent.destroy();
    }
  });

  it('takes no promise that cannot be kept, and no word by a key that has ended', async () => {
    const machine = await env.client('refused');
    for (const promise of ['0', '999', '300001', '-1', '1000.5', 'x', '']) {
      const answer = await fetch(`${env.url}/api/events/refused?aliveEveryMs=${promise}`, { headers: { Authorization: `Bearer ${machine.clientKey}` } });
      expect([promise, answer.status, await answer.json()]).toMatchObject([promise, 400, { errors: [{ path: 'aliveEveryMs' }] }]);
    }
    expect(await alive(machine.clientKey)).toBe(204);
    const { body } = await env.get('/api/clients/refused/keys').expect(200);
    const [key] = (body as { items: { id: string }[] }).items;
    await env.get(`/api/clients/refused`).expect(200);
    await fetch(`${env.url}/api/clients/refused/keys/${key?.id}`, { method: 'DELETE', headers: { Authorization: `Bearer ${env.token}` } });
    expect(await alive(machine.clientKey)).toBe(401);
  });
});
