import { MAX_FRAME_BYTES } from '@gwanje/contracts';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import request from 'supertest';
import { eventually, TestEnvironment } from './support/environment';
import { SocketAgent } from './support/socket-agent';

interface ProblemBody {
  status: number;
  code: string;
  errors?: { path: string; message: string }[];
}

/** More than two heartbeats of the server. */
const PATIENCE_MS = 60_000;

/** What the server says to raw requests on one connection, each sent after an answer, until `until` appears or it ends the connection. */
function raw(url: string, requests: string[], until?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const send = (): boolean => socket.write(requests.shift() ?? '');
    const socket = connect(Number(new URL(url).port), '127.0.0.1', send);
    let said = '';
    socket.on('data', (bytes) => {
      said += bytes.toString();
      if (requests.length > 0) send();
      else if (until && said.includes(until)) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(said));
  });
}

describe('the WebSocket of an agent', () => {
  let env: TestEnvironment;
  let clients = 0;
  const open: SocketAgent[] = [];
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterEach(() => open.splice(0).forEach((agent) => agent.disconnect()));
  afterAll(() => env.destroy());

  const connectAs = async (client: { clientKey: string }): Promise<SocketAgent> => {
    const agent = await SocketAgent.connect(env.url, client.clientKey);
    open.push(agent);
    return agent;
  };
  const machine = async (): Promise<{ id: string; clientKey: string; agent: SocketAgent }> => {
    const client = await env.client(`machine-${++clients}`);
    return { ...client, agent: await connectAs(client) };
  };
  const dispatched = async ({ id, agent }: { id: string; agent: SocketAgent }, settings = {}): Promise<string> => {
    const command = await env.command(id, settings);
    await eventually(() => expect(agent.commands.map((frame) => frame.id)).toContain(command));
    return command;
  };
  const handshake = (headers: Record<string, string>, path = '/api/ws/me'): string =>
    [`GET ${path} HTTP/1.1`, ...Object.entries({ Host: 'x', Connection: 'Upgrade', Upgrade: 'websocket', ...headers }).map((pair) => pair.join(': '))].join('\r\n') + '\r\n\r\n';
  const wellFormed = (): Record<string, string> => ({ 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': randomBytes(16).toString('base64') });

  describe('the upgrade', () => {
    it.each([
      ['nobody', 401, async () => ({})],
      ['an unknown key', 401, async () => ({ Authorization: 'Bearer sk_x_y' })],
      ['a person', 403, async () => ({ Authorization: `Bearer ${env.token}` })],
    ])('is refused to %s with %i, before it happens', async (_, status, headers) => {
      const answer = await raw(env.url, [handshake({ ...wellFormed(), ...(await headers()) })]);
      expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*application/problem\\+json`));
    });

    it('is refused for another client, an unknown address, and a wrong handshake', async () => {
      const [own, other] = [await env.client('upgrading'), await env.client('upgraded')];
      const authorized = { ...wellFormed(), Authorization: `Bearer ${own.clientKey}` };
      const answer = (headers: Record<string, string>, path?: string): Promise<string> => raw(env.url, [handshake(headers, path)], '"hello"');
      for (const path of [`/api/ws/${other.id}`, '/api/ws/upgraded', '/api/nothing']) expect(await answer(authorized, path)).toMatch(/^HTTP\/1.1 404 /);
      expect(await answer({ ...authorized, 'Sec-WebSocket-Version': '7' })).toMatch(/^HTTP\/1.1 400 [^]*"path":"Sec-WebSocket-Version"/);
      expect(await answer({ ...authorized, 'Sec-WebSocket-Key': 'short' })).toMatch(/^HTTP\/1.1 400 [^]*"path":"Sec-WebSocket-Key"/);
      const plain = await request(env.url).get('/api/ws/me').set('Authorization', `Bearer ${own.clientKey}`).expect(426);
      expect(plain.headers).toMatchObject({ upgrade: 'websocket', 'content-type': expect.stringContaining('application/problem+json') });
      expect(await answer(authorized, '/api/ws/upgrading')).toMatch(/^HTTP\/1.1 101 [^]*"event":"hello"/);
    });

    it('is ignored where another protocol is offered, also with a body, and again on the same connection', async () => {
      const body = JSON.stringify({ email: 'unknown@example.com', password: 'x' });
      const headers = `Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n`;
      const post = `POST /api/auth/login HTTP/1.1\r\n${headers}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const answer = await raw(env.url, [post, `GET /health/live HTTP/1.1\r\n${headers}\r\n`], '{"status":"ok"}');
      expect(answer).toMatch(/^HTTP\/1.1 401 [^]*HTTP\/1.1 200 OK[^]*\{"status":"ok"\}$/);
    });
  });

  it('carries a command, its start, its output and its result, and each of them again is a no-op', async () => {
    const it = await machine();
    const id = await dispatched(it, { payload: { echo: 1 } });
    expect(it.agent.commands).toEqual([{ id, action: 'noop', payload: { echo: 1 }, priority: 5, attempt: 1, timeoutMs: 300_000 }]);
    const chunks = [{ seq: 0, stream: 'stdout', text: 'hello' }];
    const result = { id, attempt: 1, success: true, data: { echo: 1 }, durationMs: 3 };
    for (let twice = 0; twice < 2; twice++) {
      expect(await it.agent.ask('start', { id, attempt: 1 })).toEqual({ status: 200, body: {} });
      expect(await it.agent.ask('output', { id, attempt: 1, chunks })).toEqual({ status: 200, body: {} });
    }
    expect(await it.agent.ask('result', result)).toEqual({ status: 200, body: {} });
    expect(await it.agent.ask('result', result)).toEqual({ status: 200, body: {} });
    // The same words over HTTP are the same result; other words are another one, on either way.
    const { id: _, ...body } = result;
    const overHttp = (said: object): request.Test => request(env.url).post(`/api/commands/${id}/result`).set('Authorization', `Bearer ${it.clientKey}`).send(said);
    await overHttp(body).expect(200);
    expect(await it.agent.ask('result', { ...result, success: false })).toMatchObject({ status: 409, body: { code: 'result_differs' } });
    expect(await env.reaches(id, 'completed')).toMatchObject({ result: { success: true, data: { echo: 1 }, durationMs: 3 } });
    const { body: output } = await env.get(`/api/commands/${id}/output`).expect(200);
    expect(output).toMatchObject({ items: [{ seq: 0, stream: 'stdout', text: 'hello' }] });
    const { body: logs } = await env.get(`/api/commands/${id}/logs`).expect(200);
    expect((logs as { items: { eventType: string }[] }).items.map(({ eventType }) => eventType)).toEqual(['created', 'dispatched', 'running', 'completed']);
  });

  it('answers frames about one command in their order without waiting for the answers', async () => {
    const it = await machine();
    const ids = await Promise.all(Array.from({ length: 4 }, () => dispatched(it)));
    let ref = 1_000;
    const refs = ids.flatMap((id) => {
      const outputs = Array.from({ length: 30 }, (_, seq) => ({ event: 'output', data: { id, chunks: [{ seq, stream: 'stdout', text: `${seq} ` }] } }));
      const said = [{ event: 'start', data: { id } }, ...outputs, { event: 'result', data: { id, success: true } }].map((frame) => ({ ...frame, ref: ref++ }));
      said.forEach((frame) => it.agent.say(JSON.stringify(frame)));
      return said.map((frame) => frame.ref);
    });
    for (const each of refs) expect(await it.agent.answerTo(each)).toEqual({ status: 200, body: {} });
    for (const id of ids) {
      const { body } = await env.get(`/api/commands/${id}/output`).expect(200);
      expect((body as { items: { seq: number }[] }).items.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, seq) => seq));
      await env.reaches(id, 'completed');
    }
  });

  it('tells of a cancel, and compares what is in flight', async () => {
    const it = await machine();
    const id = await dispatched(it);
    await it.agent.ask('start', { id });
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    await eventually(() => expect(it.agent.of('cancel')).toEqual([{ id, attempt: 1, reason: 'cancelled' }]));
    const inFlight = [{ id, attempt: 1, state: 'started' }, { id: '01900000-0000-7000-8000-000000000000', attempt: 1, state: 'received' }];
    const answer = await it.agent.ask('session', { version: '1', platform: 'test', actions: [{ name: 'noop' }], inFlight });
    expect(answer).toEqual({ status: 200, body: { sessionId: expect.any(String), drop: ['01900000-0000-7000-8000-000000000000'] } });
    await it.agent.ask('result', { id, success: false, outcome: 'cancelled' });
    await env.reaches(id, 'cancelled');
  });

  it('names the faults of a body as HTTP does', async () => {
    const it = await machine();
    const id = await dispatched(it);
    const bodies: [string, object][] = [
      ['start', { attempt: 'one' }],
      ['start', { attempt: 7 }],
      ['output', { chunks: [{ seq: -1, stream: 'stdin', text: 1 }] }],
      ['output', { chunks: [], more: true }],
      ['result', {}],
      ['result', { success: true, error: 'has a NUL: \0' }],
    ];
    for (const [event, body] of bodies) {
      const { body: expected, status } = await request(env.url).post(`/api/commands/${id}/${event}`).set('Authorization', `Bearer ${it.clientKey}`).send(body);
      const answer = await it.agent.ask(event, { id, ...body });
      expect(answer).toEqual({ status, body: { ...(expected as object), requestId: expect.any(String) } });
      expect(status).toBe(body === bodies[1]?.[1] ? 409 : 400);
    }
    expect(await it.agent.ask('start', {})).toMatchObject({ status: 400, body: { errors: [{ path: 'id' }] } });
    expect(await it.agent.ask('session', { version: '1' })).toMatchObject({ status: 400, body: { errors: expect.arrayContaining([expect.objectContaining({ path: 'actions' })]) } });
  });

  it('does not know of the command of another client, and the audit record keeps the attempt', async () => {
    const it = await machine();
    const foreign = await env.command((await env.client('someone-else')).id);
    for (const event of ['start', 'output', 'result']) {
      const answer = await it.agent.ask(event, { id: foreign, ...(event === 'output' && { chunks: [] }), ...(event === 'result' && { success: true }) });
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
      const { body } = await env.get(`/api/audit?target=${foreign}&action=commands.${event}`).expect(200);
      expect((body as { items: object[] }).items).toMatchObject([
        { outcome: 'refused', actor: { type: 'agent', id: it.id }, requestId: (answer.body as { requestId: string }).requestId },
      ]);
    }
    expect((await env.get(`/api/commands/${foreign}`).expect(200)).body).toMatchObject({ status: 'pending' });
  });

  it.each<{ name: string; text: string | Buffer; path: string; ref?: number }>([
    { name: 'no JSON', text: 'command please', path: '' },
    { name: 'bytes', text: Buffer.from('{"event":"start","ref":1,"data":{}}'), path: '' },
    { name: 'a list', text: '[]', path: '' },
    { name: 'null', text: 'null', path: '' },
    { name: 'no event', text: '{"ref":1,"data":{}}', path: 'event', ref: 1 },
    { name: 'an unknown event', text: '{"event":"shutdown","ref":2,"data":{}}', path: 'event', ref: 2 },
    { name: 'no ref', text: '{"event":"start","data":{}}', path: 'ref' },
    { name: 'a broken ref', text: '{"event":"start","ref":1.5,"data":{}}', path: 'ref' },
    { name: 'no data', text: '{"event":"start","ref":3}', path: 'data', ref: 3 },
    { name: 'a list as data', text: '{"event":"start","ref":4,"data":[]}', path: 'data', ref: 4 },
    { name: 'an unknown field', text: '{"event":"start","ref":5,"data":{},"token":"x"}', path: 'token', ref: 5 },
    { name: 'a prototype', text: '{"event":"start","ref":6,"data":{},"__proto__":{}}', path: '__proto__', ref: 6 },
    { name: 'a deep list', text: `{"event":"start","ref":7,"data":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, path: 'data', ref: 7 },
  ])('answers $name with an error frame that names the fault, and goes on', async ({ text, path, ref }) => {
    const { agent } = await machine();
    agent.say(text);
    await eventually(() => expect(agent.frames.filter((frame) => frame.event === 'error')).toHaveLength(1));
    const error = agent.frames.find((frame) => frame.event === 'error');
    expect(error?.ref).toBe(ref);
    expect(error?.data).toMatchObject({ status: 400, code: 'invalid_input', requestId: expect.any(String) });
    expect((error?.data as ProblemBody).errors?.map((fault) => fault.path)).toContain(path);
    expect(await agent.ask('start', { id: 'x' })).toMatchObject({ status: 404 });
  });

  it('answers a frame that is too large, and ends a connection that sends far too much', async () => {
    const it = await machine();
    const id = await dispatched(it);
    const fits = 'x'.repeat(MAX_FRAME_BYTES - 200);
    expect(await it.agent.ask('result', { id, success: true, data: `${fits}${'x'.repeat(400)}` })).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
    expect(await it.agent.ask('result', { id, success: true, data: fits })).toEqual({ status: 200, body: {} });
    it.agent.say('x'.repeat(3 * MAX_FRAME_BYTES));
    await eventually(() => expect(it.agent.closed).toBe(1009));
    await eventually(async () => expect((await env.get(`/api/clients/${it.id}`).expect(200)).body).toMatchObject({ status: 'offline' }));
  });

  it('gives way to a newer connection of the client, whatever either is carried by, and says why', async () => {
    const { id, clientKey, agent: first } = await machine();
    const streaming = await env.connect({ id, clientKey });
    await eventually(() => expect([first.of('bye'), first.closed]).toEqual([[{ reason: 'replaced' }], 1000]));
    const second = await connectAs({ clientKey });
    await eventually(() => expect(streaming.closed).toBe(true));
    streaming.disconnect();
    const command = await dispatched({ id, agent: second });
    expect(first.commands).toEqual([]);
    expect(streaming.received).toEqual([]);
    expect((await env.get(`/api/clients/${id}`).expect(200)).body).toMatchObject({ status: 'online' });
    await second.ask('result', { id: command, success: true });
    await env.reaches(command, 'completed');
  });

  it('ends when its key is revoked, and says nothing more with it', async () => {
    const it = await machine();
    const id = await dispatched(it);
    // Without the news: only the row is gone.
    await env.sql('DELETE FROM client_keys WHERE client_id = $1', [it.id]);
    expect(await it.agent.ask('start', { id })).toMatchObject({ status: 401 });
    await eventually(() => expect([it.agent.of('bye'), it.agent.closed]).toEqual([[{ reason: 'revoked' }], 1000]));
    const revoked = await machine();
    await env.post(`/api/clients/${revoked.id}/rotate-key`, { overlapSeconds: 0 }).expect(200);
    await eventually(() => expect(revoked.agent.of('bye')).toEqual([{ reason: 'revoked' }]));
  });

  it('cuts off an agent that does not read, and does not drown one that does', async () => {
    const client = await env.client('drowning', { concurrency: 100 });
    const frozen = await connectAs(client);
    frozen.freeze();
    const payload = { echo: 'x'.repeat(900_000) };
    for (let sent = 0; sent < 12; sent++) await env.command(client.id, { payload });
    await eventually(async () => expect((await env.get(`/api/clients/${client.id}`).expect(200)).body).toMatchObject({ status: 'offline' }), PATIENCE_MS);
    const reading = await connectAs(client);
    await eventually(() => expect(reading.commands).toHaveLength(12), PATIENCE_MS);
    expect(reading.closed).toBeUndefined();
  }, 3 * PATIENCE_MS);

  it('says good-bye on both transports when the server stops', async () => {
    const it = await machine();
    const streaming = await env.connect(await env.client('streaming'));
    await env.stopServer();
    await eventually(() => expect([it.agent.of('bye'), it.agent.closed, streaming.closed]).toEqual([[{ reason: 'shutdown' }], 1000, true]));
    streaming.disconnect();
    await env.startServer();
  });
});
