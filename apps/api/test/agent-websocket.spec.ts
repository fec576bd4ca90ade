import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import request from 'supertest';
import { eventually, TestEnvironment } from './support/environment';
import { OldProxy } from './support/old-proxy';
import { RealAgent, SILENCE_MS } from './support/real-agent';
import { TcpProxy } from './support/tcp-proxy';

const PATIENCE_MS = 45_000;

jest.setTimeout(2 * PATIENCE_MS);

describe('a real agent on a WebSocket', () => {
  let env: TestEnvironment;
  let network: TcpProxy;
  let agent: RealAgent;
  let clientId: string;
  let machines = 0;

  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());
  beforeEach(async () => {
    network = await TcpProxy.create(env.url);
    agent = await machine(network.url);
  });
  afterEach(async () => {
    await agent.destroy();
    await network.close();
  });

  const machine = async (serverUrl: string): Promise<RealAgent> => {
    const client = await env.client(`machine-${++machines}`);
    clientId = client.id;
    const settings = { serverUrl, clientKey: client.clientKey, policy: { programs: ['sh'] } };
    return new RealAgent({ ...settings, env: { TRANSPORT: 'ws', AGENT_SILENCE_MS: `${SILENCE_MS}` } }).start();
  };
  /** Writes a line to the oracle, then goes on until the file `go` appears. */
  const shell = (): Promise<string> => {
    const script = `echo begun; echo done >> ${agent.oracle}; while [ ! -e ${agent.signal} ]; do sleep 0.05; done; echo ended`;
    return env.command(clientId, { action: 'shell', payload: { program: 'sh', args: ['-c', script] } });
  };
  const output = async (id: string): Promise<string> => {
    const { body } = await env.get(`/api/commands/${id}/output`).expect(200);
    return (body as { items: { text: string }[] }).items.map(({ text }) => text).join('');
  };
  const history = async (id: string): Promise<string[]> => {
    const { body } = await env.get(`/api/commands/${id}/logs`).expect(200);
    return (body as { items: { eventType: string }[] }).items.map((item) => item.eventType);
  };
  /** How many frames of this event the server has answered with a yes. */
  const frames = async (event: string): Promise<number> => {
    const { text } = await request(env.url).get('/metrics').expect(200);
    const labels = `event="${event}",status="200"`;
    return Number(new RegExp(`^gwanje_ws_frame_duration_seconds_count\\{${labels}\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  };

  it('says all about its commands over the socket', async () => {
    expect(agent.log).toContain('by WebSocket');
    const before = await Promise.all(['start', 'output', 'result'].map(frames));
    const info = await env.command(clientId, { action: 'system_info' });
    expect((await env.reaches(info, 'completed'))['result']).toMatchObject({ data: { platform: process.platform } });
    const id = await shell();
    await eventually(async () => expect(await output(id)).toBe('begun\n'));
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'running' });
    agent.go();
    await env.reaches(id, 'completed');
    expect(await output(id)).toBe('begun\nended\n');
    const after = await Promise.all(['start', 'output', 'result'].map(frames));
    expect(after.map((count, at) => count - (before[at] ?? 0))).toEqual([2, expect.any(Number), 2]);
    expect((after[1] ?? 0) - (before[1] ?? 0)).toBeGreaterThanOrEqual(2);
  });

  it('is told of a cancel', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    expect(await env.reaches(id, 'cancelled')).toMatchObject({ result: { success: false, data: { killed: true } } });
  });

  it('brings back an artifact beside the socket', async () => {
    const path = join(agent.folder, 'large');
    writeFileSync(path, 'x'.repeat(3 << 20));
    const file = await env.command(clientId, { action: 'file_get', payload: { path } });
    expect((await env.reaches(file, 'completed'))['result']).toMatchObject({ data: { size: 3 << 20 } });
  });

  it('killed while a command runs that must not run twice: says that nobody knows', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    await agent.kill();
    await agent.start();
    await env.reaches(id, 'indeterminate');
    expect(agent.effects).toBe(1);
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'indeterminate']);
  });

  it('killed while a command runs that may run twice: runs it again', async () => {
    const id = await env.command(clientId, { payload: { delayMs: 4_000, echo: 'again' } });
    await env.reaches(id, 'running');
    await agent.kill();
    await agent.start();
    expect((await env.reaches(id, 'completed'))['result']).toMatchObject({ data: { echo: 'again' } });
  });

  it('survives a restart of the server in the middle of a command', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    const before = agent.connections;
    await env.stopServer();
    expect(agent.log).toContain('the server closes the connection: shutdown');
    await env.startServer();
    await agent.connected(before);
    agent.go();
    await env.reaches(id, 'completed');
    expect(agent.effects).toBe(1);
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'completed']);
  });

  it('finishes a command while the network is cut, and tells when it is back', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    const before = agent.connections;
    network.cut();
    agent.go();
    await eventually(() => expect(agent.log).toMatch(new RegExp(`${id}/(output|result)`)));
    network.mend();
    await agent.connected(before);
    await env.reaches(id, 'completed');
    expect(await output(id)).toBe('begun\nended\n');
    expect(agent.effects).toBe(1);
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'completed']);
  });

  it('reports a result again when the socket dies before the answer, and it counts once', async () => {
    const id = await env.command(clientId, { payload: { delayMs: 2_000, echo: 'once' } });
    await env.reaches(id, 'running');
    // The start has been answered, and without output the next answer is the one to the result.
    const [connections, results] = [agent.connections, await frames('result')];
    network.cutBefore('"event":"answer"');
    await eventually(() => expect(network.hasCut).toBe(true));
    expect(await frames('result')).toBe(results + 1);
    await eventually(() => expect(agent.log).toContain(`${id}/result: the WebSocket is gone; trying again`));
    await eventually(() => expect(agent.log).toContain(`${id} noop: success reported`));
    await agent.connected(connections);
    expect((await env.reaches(id, 'completed'))['result']).toMatchObject({ success: true, data: { echo: 'once' } });
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'completed']);
    expect(await frames('result')).toBe(results + 1);
  });

  it('notices a socket that is dead without an end, and takes up the work of meanwhile', async () => {
    const before = agent.connections;
    network.freeze();
    const id = await env.command(clientId, { payload: { echo: 1 } });
    await agent.connected(before);
    expect(agent.log).toContain(`no byte for ${SILENCE_MS} ms`);
    await env.reaches(id, 'completed');
  });

  it('ends with its key', async () => {
    await env.post(`/api/clients/${clientId}/rotate-key`, { overlapSeconds: 0 }).expect(200);
    await eventually(() => expect(agent.log).toContain('the server closes the connection: revoked'));
    await eventually(() => expect(agent.log).toContain('the server refused the session (401)'));
  });

  it.each([
    ['answers in plain HTTP', 'ignore', 'the WebSocket was answered with 426'],
    ['hangs up on every upgrade', 'hang up', 'socket hang up'],
  ] as const)('falls back to server-sent events behind a proxy that %s', async (_, onUpgrade, reason) => {
    const proxy = await OldProxy.create(env.url, onUpgrade);
    const behind = await machine(proxy.url);
    try {
      expect(behind.log).toContain(reason);
      expect(behind.log).toContain('by server-sent events');
      const id = await env.command(clientId, { payload: { echo: 'around' } });
      expect((await env.reaches(id, 'completed'))['result']).toMatchObject({ data: { echo: 'around' } });
    } finally {
      await behind.destroy();
      await proxy.close();
    }
  });
});
