import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../tools/servers/ports';
import { ADMIN, createDatabase, dropDatabase, eventually, query } from './support/environment';
import { FakeAgent } from './support/fake-agent';
import { RealAgent } from './support/real-agent';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { ServerProcess } from './support/server-process';
import { TraceReceiver } from './support/trace-receiver';

const PATIENCE_MS = 60_000;
/** Written into the environment, so that tests need not wait for five seconds. */
const SOON = { OTEL_BSP_SCHEDULE_DELAY: '50' };

jest.setTimeout(3 * PATIENCE_MS);

describe('the trace of a command', () => {
  let folder: string;
  let databaseUrl: string;
  let receiver: TraceReceiver;
  let server: ServerProcess | undefined;
  let agent: RealAgent | undefined;
  let token: string;
  let client: { id: string; clientKey: string };
  let machines = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-tracing-'));
    databaseUrl = await createDatabase();
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await dropDatabase(databaseUrl);
  });
  beforeEach(async () => (receiver = await TraceReceiver.open()));
  afterEach(async () => {
    await agent?.destroy();
    await server?.stop();
    await receiver.close();
    agent = server = undefined;
  });

  const tracing = (url = receiver.url): Record<string, string> => ({ ...SOON, OTEL_EXPORTER_OTLP_ENDPOINT: url });
  const jwt = randomUUID() + randomUUID();
  const startServer = async (settings: Record<string, string>): Promise<ServerProcess> => {
    server = await ServerProcess.start({
      DATABASE_URL: databaseUrl, REDIS_URL: redisOfThisWorker(), JWT_SECRET: jwt, DB_POOL_MIN: '0', LOG_LEVEL: 'warn', SWEEP_MS: '100',
      ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password, ARTIFACTS_DIR: join(folder, 'artifacts'), AUDIT_KEY_FILE: join(folder, 'audit-key.pem'), ...settings,
    });
    token = ((await call('POST', '/api/auth/login', ADMIN)) as { accessToken: string }).accessToken;
    return server;
  };
  const machine = async (): Promise<void> => {
    client = (await call('POST', '/api/clients', { name: `machine-${++machines}` })) as typeof client;
  };
  const startAgent = (env: Record<string, string>): Promise<RealAgent> => {
    const settings = { serverUrl: server?.url ?? '', clientKey: client.clientKey, policy: { programs: ['sh'] } };
    agent = new RealAgent({ ...settings, env: { OTEL_EXPORTER_OTLP_ENDPOINT: '', ...env } });
    return agent.start();
  };
  const call = async (method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<unknown> => {
    const all = { ...(token && { Authorization: `Bearer ${token}` }), 'Content-Type': 'application/json', ...headers };
    const answer = await fetch(`${server?.url}${path}`, { method, headers: all, ...(body && { body: JSON.stringify(body) }) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  /** What somebody who traces brings along. */
  const caller = (): { traceId: string; root: string; traceparent: string } => {
    const [traceId, root] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
    return { traceId, root, traceparent: `00-${traceId}-${root}-01` };
  };
  const create = async (headers: Record<string, string>, command: object = { action: 'noop', payload: {} }): Promise<string> =>
    ((await call('POST', '/api/commands', { clientId: client.id, ...command }, headers)) as { id: string }).id;
  const reaches = (id: string, status: string): Promise<void> =>
    eventually(async () => expect(await call('GET', `/api/commands/${id}`)).toMatchObject({ status }), PATIENCE_MS);
  const waiting = (script: string): object => ({ action: 'shell', payload: { program: 'sh', args: ['-c', script] } });

  const WHOLE = (said: 'POST /api/commands/:id/' | 'WS '): string[] => [
    'caller > POST /api/commands',
    'POST /api/commands > commands.store',
    'POST /api/commands > send commands',
    'send commands > process commands',
    'process commands > POST /api/commands/{id}/start',
    'process commands > POST /api/commands/{id}/result',
    `POST /api/commands/{id}/start > ${said}start`,
    `POST /api/commands/{id}/result > ${said}result`,
    `${said}start > commands.start`,
    `${said}result > commands.result`,
  ].sort();

  it.each([
    ['server-sent events', 'sse', 'POST /api/commands/:id/'],
    ['a WebSocket', 'ws', 'WS '],
  ] as const)('goes from the call to the end of the process and back, over %s, and tells no secret', async (_, transport, said) => {
    await startServer(tracing());
    await machine();
    await startAgent({ ...tracing(), TRANSPORT: transport });
    const { traceId, root, traceparent } = caller();
    const id = await create({ traceparent }, waiting('echo secret-of-the-payload; sleep 0.2; exit 3'));
    await reaches(id, 'failed');
    await eventually(() => expect(receiver.edges(traceId, root)).toEqual(WHOLE(said)));
    const spans = new Map(receiver.of(traceId).map((span) => [span.name, span]));
    expect(spans.get('POST /api/commands')).toMatchObject({
      service: 'gwanje', failed: false,
      attributes: { 'http.request.method': 'POST', 'http.route': '/api/commands', 'url.scheme': 'http', 'http.response.status_code': 201 },
    });
    const ofCommand = { 'messaging.message.id': id, 'gwanje.command.action': 'shell', 'gwanje.command.attempt': 1 };
    expect(spans.get('send commands')).toMatchObject({ service: 'gwanje', attributes: { ...ofCommand, 'gwanje.client.id': client.id } });
    const run = spans.get('process commands');
    expect(run).toMatchObject({ service: 'gwanje-agent', failed: true, attributes: { ...ofCommand, 'gwanje.command.outcome': 'failure' } });
    const [started, reported] = [spans.get('POST /api/commands/{id}/start'), spans.get('POST /api/commands/{id}/result')];
    expect(started).toMatchObject({ service: 'gwanje-agent', attributes: { 'network.protocol.name': transport === 'ws' ? 'websocket' : 'http' } });
    // The run holds the start, and the program that slept; the report comes behind it.
    expect(run?.startMs).toBeLessThanOrEqual(started?.startMs ?? 0);
    expect((run?.endMs ?? 0) - (started?.endMs ?? Infinity)).toBeGreaterThan(190);
    expect(reported?.endMs).toBeGreaterThanOrEqual(run?.endMs ?? Infinity);
    for (const secret of ['secret-of-the-payload', client.clientKey, token, 'Bearer']) expect(receiver.text).not.toContain(secret);
  });

  it('survives a restart of the server between the call and the dispatch', async () => {
    await startServer(tracing());
    await machine();
    const { traceId, root, traceparent } = caller();
    const id = await create({ traceparent });
    await server?.stop();
    await startServer(tracing());
    await startAgent(tracing());
    await reaches(id, 'completed');
    await eventually(() => expect(receiver.edges(traceId, root)).toEqual(WHOLE('POST /api/commands/:id/')));
  });

  it('survives a power cut of the agent: what it finds in its journal goes on in the same trace', async () => {
    await startServer(tracing());
    await machine();
    await startAgent(tracing());
    const { traceId, root, traceparent } = caller();
    const id = await create({ traceparent }, waiting(`echo >> ${agent?.oracle}; while true; do sleep 0.05; done`));
    await eventually(() => expect(agent?.effects).toBe(1));
    // What was sent at once is there before the cut; the run itself never ends, and is not.
    await eventually(() => expect(receiver.edges(traceId, root)).toContain('POST /api/commands/:id/start > commands.start'));
    await agent?.kill();
    await agent?.start();
    await reaches(id, 'indeterminate');
    await eventually(() =>
      expect(receiver.edges(traceId, root)).toEqual(
        expect.arrayContaining([
          'send commands > POST /api/commands/{id}/result',
          'POST /api/commands/{id}/result > POST /api/commands/:id/result',
          'POST /api/commands/:id/result > commands.result',
        ]),
      ),
    );
    const again = await create({ traceparent }, { action: 'noop', payload: { delayMs: 3_000 } });
    await reaches(again, 'running');
    await agent?.kill();
    await agent?.start();
    await reaches(again, 'completed');
    const runs = (): unknown[] => receiver.of(traceId).filter(({ name, attributes }) => name === 'process commands' && attributes['gwanje.command.id'] === again);
    await eventually(() => expect(runs()).toMatchObject([{ attributes: { 'gwanje.command.outcome': 'success' } }]));
  });

  it('begins with the call when the caller brings none, or nonsense; and what the caller does not record is not recorded', async () => {
    await startServer({ ...tracing(), OTEL_SERVICE_NAME: 'tower' });
    await machine();
    await startAgent(tracing());
    const begun = (id: string): string | undefined => receiver.spans.find(({ attributes }) => attributes['gwanje.command.id'] === id)?.traceId;
    for (const headers of [{}, { traceparent: 'nonsense' }] as Record<string, string>[]) {
      const id = await create(headers);
      await eventually(() => expect(receiver.edges(begun(id) ?? '', '')).toHaveLength(10));
      const roots = receiver.of(begun(id) ?? '').filter(({ parentSpanId }) => parentSpanId === '');
      expect(roots).toMatchObject([{ service: 'tower', name: 'POST /api/commands' }]);
    }
    const { traceId, traceparent } = caller();
    await reaches(await create({ traceparent: traceparent.replace(/01$/, '00') }), 'completed');
    const last = await create({});
    await eventually(() => expect(receiver.edges(begun(last) ?? '', '')).toHaveLength(10));
    expect(receiver.of(traceId)).toEqual([]);
  });

  it('goes on from a batch', async () => {
    await startServer(tracing());
    await machine();
    await startAgent(tracing());
    const { traceId, root, traceparent } = caller();
    await call('POST', '/api/commands/batch', { targets: { clientIds: [client.id] }, action: 'noop', payload: {} }, { traceparent });
    await eventually(() =>
      expect(receiver.edges(traceId, root)).toEqual(
        expect.arrayContaining([
          'caller > POST /api/commands/batch', 'POST /api/commands/batch > send commands', 'POST /api/commands/:id/result > commands.result',
        ]),
      ),
    );
  });

  it('is carried by an agent that does not trace, and costs an agent that does not know of it nothing', async () => {
    await startServer(tracing());
    await machine();
    await startAgent({});
    const { traceId, root, traceparent } = caller();
    await reaches(await create({ traceparent }), 'completed');
    await eventually(() => expect(receiver.edges(traceId, root)).toContain('send commands > POST /api/commands/:id/result'));
    expect(receiver.spans.filter(({ service }) => service === 'gwanje-agent')).toEqual([]);

    await machine();
    const simple = new FakeAgent(server?.url ?? '', client.id, client.clientKey);
    await simple.connect();
    const other = caller();
    const id = await create({ traceparent: other.traceparent });
    await eventually(() => expect(simple.received).toMatchObject([{ id, traceparent: expect.stringContaining(other.traceId) as string }]));
    await call('POST', `/api/commands/${id}/result`, { success: true }, { Authorization: `Bearer ${client.clientKey}` });
    simple.disconnect();
    await reaches(id, 'completed');
  });

  it('is off by default: nothing is loaded, kept or sent', async () => {
    // Its interface alone, `@opentelemetry/api`, is loaded by the library of the metrics.
    const spy = join(folder, 'spy.cjs');
    const loaded = join(folder, 'loaded');
    writeFileSync(spy, `process.on('exit', () => require('node:fs').appendFileSync(${JSON.stringify(loaded)},
      Object.keys(require.cache).filter((name) => /@opentelemetry.(sdk|otlp|exporter|resources)|core.tracing/.test(name)).join('\\n') + '\\n'));`);
    const watched = { NODE_OPTIONS: `--require=${spy}` };
    const run = async (settings: Record<string, string>): Promise<{ loaded: string; traceparent: string | null }> => {
      rmSync(loaded, { force: true });
      await startServer({ ...watched, ...settings });
      await machine();
      await startAgent({ ...watched, ...settings });
      const id = await create({ traceparent: caller().traceparent });
      await reaches(id, 'completed');
      await agent?.destroy();
      await server?.stop();
      const [row] = await query<{ traceparent: string | null }>(databaseUrl, 'SELECT traceparent FROM commands WHERE id = $1', [id]);
      return { loaded: existsSync(loaded) ? readFileSync(loaded, 'utf8') : '', traceparent: row?.traceparent ?? null };
    };
    // Neither of the library's other settings switches it on.
    const off = await run({ ...SOON, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/v1/traces`, OTEL_TRACES_SAMPLER: 'always_on' });
    expect(off.loaded).toContain('core/tracing');
    expect(off.loaded).not.toContain('@opentelemetry');
    expect(off.traceparent).toBeNull();
    expect(receiver.requests).toBe(0);
    const on = await run(tracing());
    expect(on.loaded).toContain('@opentelemetry');
    expect(on.traceparent).not.toBeNull();
    expect(receiver.requests).toBeGreaterThan(0);
  });

  it.each(['down', 'mute'])('troubles no command and no stop when the receiver is %s', async (state) => {
    receiver.mute = true;
    const settings = tracing(state === 'down' ? `http://127.0.0.1:${await freePort()}` : receiver.url);
    await startServer(settings);
    await machine();
    await startAgent(settings);
    const ids = await Promise.all(Array.from({ length: 20 }, () => create({ traceparent: caller().traceparent })));
    for (const id of ids) await reaches(id, 'completed');
    if (state === 'mute') await eventually(() => expect(receiver.requests).toBeGreaterThan(0));
    await agent?.stop();
    expect(agent?.log).toContain('stopped');
    await server?.stop();
  });
});
