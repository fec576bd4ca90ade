import { eventually, TestEnvironment } from './support/environment';
import { RealAgent, SILENCE_MS } from './support/real-agent';
import { TcpProxy } from './support/tcp-proxy';

const PATIENCE_MS = 45_000;

jest.setTimeout(2 * PATIENCE_MS);

describe('a real agent through crashes and outages', () => {
  let env: TestEnvironment;
  let network: TcpProxy;
  let agent: RealAgent;
  let clientId: string;
  let machines = 0;

  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());
  beforeEach(async () => {
    network = await TcpProxy.create(env.url);
    const client = await env.client(`machine-${++machines}`);
    clientId = client.id;
    const settings = { serverUrl: network.url, clientKey: client.clientKey, policy: { programs: ['sh'] } };
    agent = await new RealAgent({ ...settings, env: { AGENT_SILENCE_MS: `${SILENCE_MS}` } }).start();
  });
  afterEach(async () => {
    await agent.destroy();
    await network.close();
  });

  /** Writes a line to the oracle, then goes on until the file `go` appears. */
  const shell = (): Promise<string> => {
    const script = `echo done >> ${agent.oracle}; while [ ! -e ${agent.signal} ]; do sleep 0.05; done`;
    return env.command(clientId, { action: 'shell', payload: { program: 'sh', args: ['-c', script] } });
  };
  const history = async (id: string): Promise<string[]> => {
    const { body } = await env.get(`/api/commands/${id}/logs`).expect(200);
    return (body as { items: { eventType: string }[] }).items.map((item) => item.eventType);
  };

  it('killed while a command runs that must not run twice: says that nobody knows', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    await agent.kill();
    await agent.start();
    const command = await env.reaches(id, 'indeterminate');
    expect(command['errorMessage']).toContain('may or may not have happened');
    expect(agent.effects).toBe(1);
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'indeterminate']);
  });

  it('killed while a command runs that may run twice: runs it again', async () => {
    const id = await env.command(clientId, { payload: { delayMs: 4_000, echo: 'again' } });
    await env.reaches(id, 'running');
    await agent.kill();
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'running' });
    await agent.start();
    expect((await env.reaches(id, 'completed'))['result']).toMatchObject({ data: { echo: 'again' } });
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'completed']);
  });

  it('stopped while a command runs that may run twice: leaves it to the next start', async () => {
    const id = await env.command(clientId, { payload: { delayMs: 600_000 } });
    await env.reaches(id, 'running');
    await agent.stop();
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'running' });
    await agent.start();
    // Only an agent that runs it can confirm the cancel of a running command.
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    await env.reaches(id, 'cancelled');
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'cancel_requested', 'cancelled']);
  });

  it('stopped while a command runs that must not run twice: kills it and says so at once', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    await agent.stop();
    expect(await env.reaches(id, 'indeterminate')).toMatchObject({ errorMessage: expect.stringContaining('stopped'), result: { data: { killed: true } } });
  });

  it('killed between the finish and the post: posts the result once after the restart', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    network.cut();
    agent.go();
    // Its journal on the disk is what counts; the log line says that the post was tried, which is after the journal.
    await eventually(() => expect(agent.log).toContain(`${id}/result`));
    await agent.kill();
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'running' });
    network.mend();
    await agent.start();
    expect((await env.reaches(id, 'completed'))['result']).toMatchObject({ data: { exitCode: 0 } });
    expect(agent.effects).toBe(1);
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'completed']);
  });

  it('works on although its disk is full', async () => {
    const before = agent.connections;
    const running = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    agent.fillDisk();
    agent.go();
    await env.reaches(running, 'completed');
    await env.reaches(await env.command(clientId, { payload: { echo: 'x'.repeat(100_000) } }), 'completed');
    expect(agent.connections).toBe(before);
  });

  it('does not share its data folder with a second agent', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    const second = await agent.twin();
    expect(second.exitCode).toBe(1);
    expect(second.log).toContain('another agent works with the folder');
    agent.go();
    await env.reaches(id, 'completed');
  });

  it('survives a restart of the server in the middle of a command', async () => {
    const id = await shell();
    await eventually(() => expect(agent.effects).toBe(1));
    const before = agent.connections;
    await env.stopServer();
    await env.startServer();
    await agent.connected(before);
    agent.go();
    await env.reaches(id, 'completed');
    expect(agent.effects).toBe(1);
    expect(await history(id)).toEqual(['created', 'dispatched', 'running', 'completed']);
  });

  it('notices a connection that is dead without an end, trusts none beside it, and takes up the work of meanwhile', async () => {
    // Side by side: each keeps a connection of its own for what comes later.
    await Promise.all(['a', 'b', 'c'].map((echo) => env.command(clientId, { payload: { echo, delayMs: 100 } }).then((id) => env.reaches(id, 'completed'))));
    const before = agent.connections;
    network.freeze();
    const id = await env.command(clientId, { payload: { echo: 1 } });
    await agent.connected(before);
    expect(agent.log).toContain(`no byte for ${SILENCE_MS} ms`);
    expect(agent.log).not.toContain('/api/agents/session: ');
    await env.reaches(id, 'completed');
  });
});
