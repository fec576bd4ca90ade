import { COMMAND_STATES, isLegalMove } from '@gwanje/contracts';
import { EventSource } from 'eventsource';
import Redis from 'ioredis';
import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { CommandStore } from '../src/commands/command-store';
import { ask } from '../src/core/database/statement';
import { eventually, TestEnvironment } from './support/environment';
import type { FakeAgent } from './support/fake-agent';

describe('the route of one command', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  it('serves an agent of twenty lines', async () => {
    const { clientKey } = await env.client('twenty-lines');
    // As in the guide: no type is said of the text that is sent.
    const headers = { Authorization: `Bearer ${clientKey}` };
    const source = new EventSource(`${env.url}/api/events/twenty-lines`, {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
    });
    source.addEventListener('command', (event) => {
      const { id, payload } = JSON.parse(event.data as string) as { id: string; payload: { echo: number } };
      const body = JSON.stringify({ success: true, data: { doubled: payload.echo * 2 } });
      void fetch(`${env.url}/api/commands/${id}/result`, { method: 'POST', headers, body });
    });
    const id = await env.command('twenty-lines', { payload: { echo: 21 } });
    const command = await env.reaches(id, 'completed');
    source.close();
    expect(command['result']).toEqual({ success: true, data: { doubled: 42 }, durationMs: null });
    const { body } = await env.get(`/api/commands/${id}/logs`).expect(200);
    expect((body as { items: { eventType: string }[] }).items.map((item) => item.eventType)).toEqual(['created', 'dispatched', 'completed']);
  });

  it('drains a backlog in priority order and respects the slots, with one more for an emergency', async () => {
    const client = await env.client('drain', { concurrency: 1 });
    const low = await env.command(client.id, { priority: 1 });
    const high = await env.command(client.id, { priority: 9 });
    const agent = await env.connect(client);
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([high]));
    const emergency = await env.command(client.id, { priority: 10 });
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([high, emergency]));
    await agent.post(`/api/commands/${emergency}/result`, { success: true });
    expect(agent.received).toHaveLength(2);
    await agent.post(`/api/commands/${high}/result`, { success: true });
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([high, emergency, low]));
  });

  it('takes the same result twice and refuses another one', async () => {
    const client = await env.client('results');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    expect(await agent.post(`/api/commands/${id}/start`, { attempt: 2 })).toBe(409);
    expect(await agent.post(`/api/commands/${id}/start`, { attempt: 1 })).toBe(200);
    expect(await agent.post(`/api/commands/${id}/start`, { attempt: 1 })).toBe(200);
    expect(await agent.post(`/api/commands/${id}/result`, { success: true, data: { a: 1 } })).toBe(200);
    expect(await agent.post(`/api/commands/${id}/result`, { success: true, data: { a: 1 } })).toBe(200);
    expect(await agent.post(`/api/commands/${id}/result`, { success: false })).toBe(409);
    expect((await env.reaches(id, 'completed'))['result']).toMatchObject({ data: { a: 1 } });
  });

  it('hides a foreign command from an agent, and audits the attempt', async () => {
    const owner = await env.client('owner');
    const foreign = await env.connect(await env.client('foreign'));
    const id = await env.command(owner.id);
    for (const call of ['start', 'result', 'output']) {
      expect(await foreign.post(`/api/commands/${id}/${call}`, { start: {}, result: { success: true }, output: { chunks: [] } }[call])).toBe(404);
    }
    const rows = await env.sql<{ action: string }>(`SELECT action FROM audit_log WHERE target_id = $1 AND outcome = 'refused' ORDER BY id`, [id]);
    expect(rows.map((row) => row.action)).toEqual(['commands.start', 'commands.result', 'commands.output']);
  });

  it('retries a failure by itself as a new attempt, and settles a time-out with a late truth', async () => {
    const client = await env.client('retries');
    const agent = await env.connect(client);
    const id = await env.command(client.id, { maxAttempts: 2 });
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/result`, { attempt: 1, success: false, error: 'jam' });
    await eventually(() => expect(agent.received.map(({ attempt }) => attempt)).toEqual([1, 2]));
    expect(await agent.post(`/api/commands/${id}/result`, { attempt: 1, success: false, error: 'jam' })).toBe(200);
    await agent.post(`/api/commands/${id}/result`, { attempt: 2, success: true });
    await env.reaches(id, 'completed');

    const late = await env.command(client.id, { timeoutMs: 50 });
    await env.reaches(late, 'timed_out');
    expect(await agent.post(`/api/commands/${late}/result`, { success: true, data: 'late but true' })).toBe(200);
    expect((await env.reaches(late, 'completed'))['result']).toMatchObject({ data: 'late but true' });
  });

  it('expires, cancels and retries by hand', async () => {
    const client = await env.client('offline');
    const expired = await env.command(client.id, { expiresAt: new Date(Date.now() + 100).toISOString() });
    await env.reaches(expired, 'expired');
    const id = await env.command(client.id);
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    await env.post(`/api/commands/${id}/cancel`).expect(409);
    const { body } = await env.post(`/api/commands/${id}/retry`).expect(200);
    expect(body).toMatchObject({ status: 'pending', attempt: 2 });
  });

  it('tells an agent to kill what runs until it has said how it ended, also after a break', async () => {
    const client = await env.client('to-kill');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/start`, {});
    agent.disconnect();
    await eventually(async () => expect((await env.get('/api/clients/to-kill')).body).toMatchObject({ status: 'offline' }));
    expect((await env.post(`/api/commands/${id}/cancel`).expect(200)).body).toMatchObject({ status: 'running' });
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    const back = await env.connect(client);
    await eventually(() => expect(back.cancelled).toEqual([id]));
    await back.post(`/api/commands/${id}/result`, { success: false, outcome: 'cancelled' });
    await env.reaches(id, 'cancelled');
    const { body } = await env.get(`/api/commands/${id}/logs`).expect(200);
    const events = (body as { items: { eventType: string }[] }).items.map((item) => item.eventType);
    expect(events).toEqual(['created', 'dispatched', 'running', 'cancel_requested', 'cancelled']);
  });

  it('does not try again what somebody has cancelled, or what has expired meanwhile', async () => {
    const client = await env.client('unwanted');
    const agent = await env.connect(client);
    const running = async (settings: object): Promise<string> => {
      const id = await env.command(client.id, { maxAttempts: 3, ...settings });
      await eventually(() => expect(agent.received.map((frame) => frame.id)).toContain(id));
      expect(await agent.post(`/api/commands/${id}/start`, {})).toBe(200);
      return id;
    };
    const cancelled = await running({});
    const expired = await running({ expiresAt: new Date(Date.now() + 3_600_000).toISOString() });
    const wanted = await running({});
    await env.post(`/api/commands/${cancelled}/cancel`).expect(200);
    await env.sql('UPDATE commands SET expires_at = now() WHERE id = $1', [expired]);
    for (const id of [cancelled, expired, wanted]) expect(await agent.post(`/api/commands/${id}/result`, { success: false })).toBe(200);
    const stateOf = async (id: string): Promise<unknown> => (await env.get(`/api/commands/${id}`).expect(200)).body;
    expect(await stateOf(cancelled)).toMatchObject({ status: 'failed', attempt: 1 });
    expect(await stateOf(expired)).toMatchObject({ status: 'failed', attempt: 1 });
    expect(await stateOf(wanted)).toMatchObject({ attempt: 2 });
    expect((await env.post(`/api/commands/${cancelled}/retry`).expect(200)).body).toMatchObject({ attempt: 2 });
  });

  it('does not repeat by itself what its agent had to end, unless it may happen twice', async () => {
    const client = await env.client('ended-in-time');
    const agent = await env.connect(client);
    const timedOut = async (settings: object): Promise<unknown> => {
      const id = await env.command(client.id, { maxAttempts: 2, ...settings });
      await eventually(() => expect(agent.received.map((frame) => frame.id)).toContain(id));
      expect(await agent.post(`/api/commands/${id}/result`, { success: false, outcome: 'timed_out' })).toBe(200);
      return (await env.get(`/api/commands/${id}`).expect(200)).body;
    };
    expect(await timedOut({ action: 'shell', payload: { program: 'true' } })).toMatchObject({ status: 'timed_out', attempt: 1 });
    expect(await timedOut({})).toMatchObject({ attempt: 2 });
  });

  it('takes the late word that an attempt in doubt was ended in time', async () => {
    const client = await env.client('in-doubt');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/start`, {});
    expect(await agent.post('/api/agents/session', { version: '1', platform: 'linux', actions: [], inFlight: [] })).toBe(200);
    await env.reaches(id, 'indeterminate');
    expect(await agent.post(`/api/commands/${id}/result`, { success: false, outcome: 'timed_out' })).toBe(200);
    await env.reaches(id, 'timed_out');
  });

  it('tries nothing again for a client that was removed', async () => {
    const client = await env.client('removed');
    const id = await env.command(client.id);
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    await request(env.url).delete(`/api/clients/${client.id}`).set('Authorization', `Bearer ${env.token}`).expect(204);
    const { body } = await env.post(`/api/commands/${id}/retry`).expect(409);
    expect(body).toMatchObject({ code: 'client_removed' });
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'cancelled', attempt: 1 });
  });

  it('tries again while somebody claims for the client, and neither waits for the other in vain', async () => {
    const client = await env.client('claimed-for');
    const id = await env.command(client.id);
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    const store = env.app.get(CommandStore, { strict: false });
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    const retried = await store.transaction(async (claim) => {
      await ask(claim, store.hold([client.id]));
      const answer = env.post(`/api/commands/${id}/retry`).then(({ status }) => status);
      await eventually(async () => expect(await env.sql(waiting)).not.toHaveLength(0));
      // As the claim would move it that has seen it wait.
      expect(await store.lock(id, claim)).toMatchObject({ status: 'cancelled' });
      return { answer };
    });
    expect(await retried.answer).toBe(200);
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'pending', attempt: 2 });
  });

  it('does not try again what the machine refuses, and records the refusal', async () => {
    const client = await env.client('strict');
    const agent = await env.connect(client);
    const id = await env.command(client.id, { maxAttempts: 3 });
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/result`, { success: false, outcome: 'refused', error: 'the policy does not allow it' });
    expect(await env.reaches(id, 'failed')).toMatchObject({ attempt: 1, errorMessage: 'the policy does not allow it' });
    expect(await env.sql(`SELECT actor_type FROM audit_log WHERE target_id = $1 AND outcome = 'refused'`, [id])).toEqual([{ actor_type: 'agent' }]);
  });

  it('keeps secret parameters from people and gives them to the agent', async () => {
    const client = await env.client('secret');
    const payload = { path: '/tmp/x', content: 'CANARY-content' };
    const { body } = await env.post('/api/commands', { clientId: client.id, action: 'file_put', payload }).expect(201);
    expect(body).toMatchObject({ payload: { path: '/tmp/x', content: '[redacted]' } });
    const answers = await Promise.all(['', '?clientId=secret'].map((query) => env.get(`/api/commands${query}`).expect(200)));
    answers.push(await env.get('/api/clients/secret/queue').expect(200));
    for (const answer of answers) expect(answer.text).not.toContain('CANARY');
    const agent = await env.connect(client);
    await eventually(() => expect(agent.received[0]?.payload).toEqual(payload));
  });

  it('takes an artifact that is sent twice for one', async () => {
    const client = await env.client('twice');
    const id = await env.command(client.id);
    const send = (): request.Test =>
      request(env.url).post(`/api/commands/${id}/artifacts`).set('Authorization', `Bearer ${client.clientKey}`)
        .set('Content-Type', 'image/png').set('X-File-Name', 'a.png').send(Buffer.from('picture')).expect(201);
    const [first, second] = [await send(), await send()];
    expect(second.body).toEqual(first.body);
    for (const [type, body] of [['application/json', '{"a": 1}'], ['text/plain', 'a line'], ['text/csv', 'a,b']] as const) {
      const upload = request(env.url).post(`/api/commands/${id}/artifacts`).set('Authorization', `Bearer ${client.clientKey}`).set('Content-Type', type);
      const made = (await upload.set('Content-Disposition', `attachment; filename="report 1.${type.split('/')[1]}"`).send(body).expect(201)).body as { id: string; size: number };
      const file = await env.get(`/api/commands/${id}/artifacts/${made.id}`).buffer(true).expect(200);
      expect([made.size, file.headers['content-type'], file.headers['content-disposition']]).toEqual([
        body.length, expect.stringContaining(type), `attachment; filename*=UTF-8''report%201.${type.split('/')[1]}`,
      ]);
    }
    const { body } = await env.get(`/api/commands/${id}/artifacts`).expect(200);
    expect((body as { items: object[] }).items).toHaveLength(4);
  });

  it('takes an empty file for an artifact', async () => {
    const client = await env.client('empty');
    const id = await env.command(client.id);
    const upload = request(env.url).post(`/api/commands/${id}/artifacts`).set('Authorization', `Bearer ${client.clientKey}`).set('Content-Length', '0');
    const { body } = await upload.set('Content-Type', 'text/plain').set('X-File-Name', 'empty.txt').expect(201);
    expect(body).toMatchObject({ name: 'empty.txt', size: 0 });
    const file = await fetch(`${env.url}/api/commands/${id}/artifacts/${(body as { id: string }).id}`, { headers: { Authorization: `Bearer ${env.token}` } });
    expect([file.status, (await file.arrayBuffer()).byteLength]).toEqual([200, 0]);
  });

  it.each([
    ['asynchronous', { $async: true, type: 'object', required: ['a'] }],
    ['without an end', { allOf: [{ $ref: '#' }] }],
  ])('refuses a command by an agent’s own schema that is %s, and lives', async (name, schema) => {
    const client = await env.client(`trap-${name.replaceAll(' ', '-')}`);
    const session = { version: '1', platform: 'linux', actions: [{ name: 'trap', schema }], inFlight: [] };
    await request(env.url).post('/api/agents/session').set('Authorization', `Bearer ${client.clientKey}`).send(session).expect(200);
    const { body } = await env.post('/api/commands', { clientId: client.id, action: 'trap', payload: {} }).expect(400);
    expect(body).toMatchObject({ errors: [{ path: 'action', message: expect.stringContaining('is not valid') as string }] });
    await env.get('/health/ready').expect(200);
  });

  it('writes down that an agent has asked for the stream of another', async () => {
    const [own, other] = [await env.client('nosy'), await env.client('neighbour')];
    await request(env.url).get(`/api/events/${other.id}`).set('Authorization', `Bearer ${own.clientKey}`).expect(404);
    expect(await env.sql(`SELECT actor_id, outcome FROM audit_log WHERE action = 'clients.connect'`)).toEqual([{ actor_id: own.id, outcome: 'refused' }]);
  });

  it('gives the same command for the same Idempotency-Key, also to twenty callers at once', async () => {
    const client = await env.client('idempotent');
    const body = { clientId: client.id, action: 'noop', payload: { echo: 1 } };
    const answers = await Promise.all(Array.from({ length: 20 }, () => env.post('/api/commands', body).set('Idempotency-Key', 'k1').expect(201)));
    expect(new Set(answers.map((answer) => (answer.body as { id: string }).id)).size).toBe(1);
    await env.post('/api/commands', { ...body, priority: 6 }).set('Idempotency-Key', 'k1').expect(409);
    expect(await env.sql('SELECT 1 FROM commands WHERE client_id = $1', [client.id])).toHaveLength(1);
  });

  it('gives the same for the same Idempotency-Key, whatever has become of the clients since', async () => {
    const [gone, moved] = [await env.client('key-gone', { groups: ['key-group'] }), await env.client('key-moved')];
    const describe = (required: string[]): request.Test =>
      request(env.url).post('/api/agents/session').set('Authorization', `Bearer ${moved.clientKey}`)
        .send({ version: '1', platform: 'linux', actions: [{ name: 'own', schema: { type: 'object', required } }], inFlight: [] }).expect(200);
    await describe([]);
    const orders: [string, object][] = [
      ['/api/commands', { clientId: 'key-gone', action: 'noop', payload: {} }],
      ['/api/commands', { clientId: 'key-moved', action: 'own', payload: {} }],
      ['/api/commands/batch', { targets: { groups: ['key-group'] }, action: 'noop', payload: {} }],
      ['/api/commands/batch', { targets: { clientIds: ['key-gone', 'key-moved'] }, action: 'noop', payload: {} }],
    ];
    const send = (n: number, settings: object = {}): request.Test =>
      env.post(orders[n]?.[0] ?? '', { ...orders[n]?.[1], ...settings }).set('Idempotency-Key', `lost-answer-${n}`);
    const idOf = ({ body }: request.Response): unknown => {
      const { id, batchId, count } = body as { id?: string; batchId?: string; count?: number };
      return id ?? { batchId, count };
    };
    const first: unknown[] = [];
    for (const n of orders.keys()) first.push(idOf(await send(n).expect(201)));

    await describe(['new']);
    await request(env.url).delete(`/api/clients/${gone.id}`).set('Authorization', `Bearer ${env.token}`).expect(204);
    for (const n of orders.keys()) {
      expect(idOf(await send(n).expect(201))).toEqual(first[n]);
      expect((await send(n, { priority: 6 }).expect(409)).body).toMatchObject({ code: 'idempotency_key_reused' });
      expect((await send(n).set('Idempotency-Key', `another-${n}`)).status).toBe(400);
    }
    expect(await env.sql('SELECT 1 FROM commands WHERE client_id = ANY($1)', [[gone.id, moved.id]])).toHaveLength(5);
  });

  it('says before a batch how many machines it would go to, and which are off', async () => {
    const clients = await Promise.all(['p1', 'p2', 'p3'].map((name) => env.client(name, { groups: ['previewed'] })));
    await env.connect(clients[1] as { id: string; clientKey: string });
    const batches = async (): Promise<number> => (await env.sql('SELECT 1 FROM batches')).length;
    const before = await batches();
    const preview = (targets: object): request.Test => env.post('/api/commands/preview', { targets, action: 'noop' });
    await eventually(async () =>
      expect((await preview({ groups: ['previewed'] }).expect(200)).body).toEqual({
        count: 3, offline: 2, offlineClients: [clients[0], clients[2]].map((client, n) => ({ id: client?.id, name: ['p1', 'p3'][n] })),
      }),
    );
    expect((await preview({ groups: ['nobody is in it'] }).expect(200)).body).toEqual({ count: 0, offline: 0, offlineClients: [] });
    expect((await preview({ clientIds: ['p1', 'nobody'] }).expect(400)).body).toMatchObject({ errors: [{ path: 'targets.clientIds[1]' }] });
    await preview({}).expect(400);
    expect(await batches()).toBe(before);
  });

  it('sends a batch by group and counts it', async () => {
    await Promise.all(['b1', 'b2', 'b3'].map((name) => env.client(name, { groups: ['branch'] })));
    const { body } = await env.post('/api/commands/batch', { targets: { groups: ['branch'] }, action: 'noop', payload: {} }).expect(201);
    const { batchId, count } = body as { batchId: string; count: number };
    expect(count).toBe(3);
    expect((await env.get(`/api/batches/${batchId}`).expect(200)).body).toMatchObject({ total: 3, byStatus: { pending: 3 } });
    await env.client('b4', { labels: { floor: '2', hall: 'a' } });
    const batch = (targets: object): request.Test => env.post('/api/commands/batch', { targets, action: 'noop', payload: {} });
    expect((await batch({ labels: { floor: '2' } }).expect(201)).body).toMatchObject({ count: 1 });
    expect((await batch({ clientIds: ['b1', 'b2'], groups: ['branch'] }).expect(201)).body).toMatchObject({ count: 3 });
    const [all] = await env.sql<{ count: number }>('SELECT count(*)::int AS count FROM clients WHERE deleted_at IS NULL');
    expect((await batch({ all: true }).expect(201)).body).toMatchObject({ count: all?.count });
    expect(((await batch({ clientIds: ['b1', 'nobody'] }).expect(400)).body as { errors: { path: string }[] }).errors[0]?.path).toBe('targets.clientIds[1]');
    await batch({}).expect(400);
  });

  it('survives FLUSHALL at any moment', async () => {
    const redis = new Redis(env.redisUrl);
    const client = await env.client('flushed', { concurrency: 2 });
    const agent = await env.connect(client);
    const ids: string[] = [];
    for (let n = 0; n < 20; n++) {
      ids.push(await env.command(client.id));
      await redis.flushall();
    }
    const done = new Set<string>();
    await eventually(async () => {
      for (const { id } of agent.received) {
        if (done.has(id)) continue;
        done.add(id);
        expect(await agent.post(`/api/commands/${id}/result`, { success: true })).toBe(200);
        await redis.flushall();
      }
      expect(done.size).toBe(ids.length);
    });
    redis.disconnect();
    expect(agent.received.map(({ id }) => id).sort()).toEqual([...ids].sort());
  });

  it('streams output and states, resumed without a gap and without a repeat', async () => {
    const client = await env.client('stream');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/start`, {});
    const chunk = (seq: number): object => ({ chunks: [{ seq, stream: 'stdout', text: `line ${seq}\n` }], progress: { percent: seq * 10 } });
    await agent.post(`/api/commands/${id}/output`, chunk(0));
    await agent.post(`/api/commands/${id}/output`, chunk(1));
    await agent.post(`/api/commands/${id}/output`, chunk(1));
    await agent.post(`/api/commands/${id}/result`, { success: true });
    // Said again because the answer was lost; nothing new is taken any more.
    expect([await agent.post(`/api/commands/${id}/output`, chunk(1)), await agent.post(`/api/commands/${id}/output`, chunk(2))]).toEqual([200, 409]);
    const read = async (from?: string): Promise<{ status: number; events: string[]; ids: string[] }> => {
      const call = env.get(`/api/commands/${id}/stream`);
      const answer = await (from ? call.set('Last-Event-ID', from) : call);
      const field = (name: string): string[] => [...(answer.text ?? '').matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map((match) => match[1] ?? '');
      return { status: answer.status, events: field('event'), ids: field('id') };
    };
    const all = await read();
    expect(all.events.filter((event) => event === 'output')).toHaveLength(2);
    expect(all.events.at(-1)).toBe('status');
    for (const [index, from] of all.ids.entries()) {
      const rest = await read(from);
      expect(rest.ids).toEqual(all.ids.slice(index + 1));
      if (index === all.ids.length - 1) expect(rest.status).toBe(204);
    }
  });

  it('compares what agent and server believe before the stream', async () => {
    const client = await env.client('session');
    const agent = await env.connect(client);
    const lost = await env.command(client.id);
    const late = await env.command(client.id, { timeoutMs: 50 });
    await eventually(() => expect(agent.received).toHaveLength(2));
    await agent.post(`/api/commands/${lost}/start`, {});
    await env.reaches(late, 'timed_out');
    const inFlight = (state: string): object => ({ version: '1', platform: 'linux', actions: [], inFlight: [{ id: late, attempt: 1, state }] });
    const session = async (state: string): Promise<unknown> =>
      (await request(env.url).post('/api/agents/session').set('Authorization', `Bearer ${client.clientKey}`).send(inFlight(state)).expect(200)).body;
    expect(await session('started')).toMatchObject({ drop: [] });
    expect(await session('received')).toMatchObject({ drop: [late] });
    await env.reaches(lost, 'indeterminate');
  });

  it('judges nothing by a session that arrives late, or again, and started since', async () => {
    const client = await env.client('late-session');
    const agent = await env.connect(client);
    const session = async (journal: string, number: number): Promise<unknown> => {
      const body = { version: '1', platform: 'linux', actions: [], inFlight: [], ordinal: { journal, number } };
      return (await request(env.url).post('/api/agents/session').set('Authorization', `Bearer ${client.clientKey}`).send(body).expect(200)).body;
    };
    const [journal, other] = [randomUUID(), randomUUID()];
    await session(journal, 7);
    const id = await env.command(client.id, { action: 'shell', payload: { program: 'x' } });
    await eventually(() => expect(agent.received).toHaveLength(1));
    expect(await agent.post(`/api/commands/${id}/start`, {})).toBe(200);
    for (const number of [7, 6, 1]) {
      expect(await session(journal, number)).toMatchObject({ drop: [] });
      expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'running' });
    }
    // The next session does not know of it, and neither would the first one of another journal.
    await session(journal, 8);
    await env.reaches(id, 'indeterminate');
    await env.post(`/api/commands/${id}/retry`).expect(200);
    await eventually(() => expect(agent.received.at(-1)).toMatchObject({ id, attempt: 2 }));
    expect(await agent.post(`/api/commands/${id}/start`, { attempt: 2 })).toBe(200);
    await session(other, 1);
    await env.reaches(id, 'indeterminate');
  });

  it('takes a result that is said again for what it was, also when the next attempt has started', async () => {
    const client = await env.client('said-again');
    const agent = await env.connect(client);
    const id = await env.command(client.id, { maxAttempts: 2 });
    const result = (attempt: number, error: string): Promise<number> => agent.post(`/api/commands/${id}/result`, { attempt, success: false, error });
    await eventually(() => expect(agent.received).toHaveLength(1));
    expect(await result(1, 'first')).toBe(200);
    await eventually(() => expect(agent.received.at(-1)).toMatchObject({ id, attempt: 2 }));
    expect([await result(1, 'first'), await result(1, 'other')]).toEqual([200, 409]);
    expect(await agent.post(`/api/commands/${id}/start`, { attempt: 2 })).toBe(200);
    expect([await result(1, 'first'), await result(1, 'other')]).toEqual([200, 409]);
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'running', attempt: 2 });
    expect([await result(2, 'second'), await result(2, 'second')]).toEqual([200, 200]);
    await env.reaches(id, 'failed');
  });

  it('gives every row an id that sorts by time', async () => {
    const id = await env.command((await env.client('by-time')).id);
    const rows = await env.sql<{ id: string; at: string }>('SELECT id, extract(epoch FROM at) * 1000 AS at FROM audit_log WHERE target_id = $1', [id]);
    expect(rows).toHaveLength(1);
    for (const uuid of [id, ...rows.map((row) => row.id)]) {
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]/);
      expect(Math.abs(Number.parseInt(uuid.replace('-', '').slice(0, 12), 16) - Number(rows[0]?.at))).toBeLessThan(60_000);
    }
  });

  it('agrees with the database on every legal move', async () => {
    const rows = await env.sql<{ from_status: string; to_status: string }>('SELECT from_status, to_status FROM command_moves');
    const known = new Set(rows.map((row) => `${row.from_status}>${row.to_status}`));
    for (const from of COMMAND_STATES) for (const to of COMMAND_STATES) expect(known.has(`${from}>${to}`)).toBe(isLegalMove(from, to));
    const client = await env.client('guarded');
    const id = await env.command(client.id);
    await expect(env.sql(`UPDATE commands SET status = 'completed' WHERE id = $1`, [id])).rejects.toThrow('illegal move');
    for (const from of COMMAND_STATES) {
      for (const to of COMMAND_STATES.filter((state) => state !== from)) {
        // Put there without the guard, and moved on before its eyes.
        const move = env.sql(`DO $$ BEGIN
          SET LOCAL session_replication_role = replica;
          UPDATE commands SET status = '${from}' WHERE id = '${id}';
          SET LOCAL session_replication_role = DEFAULT;
          UPDATE commands SET status = '${to}', attempt = attempt + ${to === 'pending' ? 1 : 0} WHERE id = '${id}';
        END $$`);
        const outcome = await move.then(() => true, (error: Error) => (error.message.includes('illegal move') ? false : error.message));
        expect([from, to, outcome]).toEqual([from, to, isLegalMove(from, to)]);
      }
    }
    await expect(env.sql('UPDATE commands SET attempt = attempt + 1 WHERE id = $1', [id])).rejects.toThrow('illegal attempt');
  });

  it('forgets the history of a command with the command', async () => {
    const [kept, gone] = [await env.command((await env.client('kept')).id), await env.command((await env.client('gone')).id)];
    await env.sql('DELETE FROM commands WHERE id = $1', [gone]);
    const left = await env.sql('SELECT DISTINCT command_id AS id FROM command_logs WHERE command_id = ANY($1)', [[kept, gone]]);
    expect(left).toEqual([{ id: kept }]);
  });

  it.each([
    ['an unknown field', { clientId: 'x', action: 'noop', payload: {}, extra: 1 }, 'extra'],
    ['an unknown field without a value', { clientId: 'x', action: 'noop', payload: {}, extra: null }, 'extra'],
    ['an unknown action', { clientId: 'guarded', action: 'nope', payload: {} }, 'action'],
    ['a payload against the schema', { clientId: 'guarded', action: 'print', payload: { filePath: 'a', copies: 0 } }, 'payload.copies'],
    ['a NUL character', { clientId: 'guarded', action: 'noop', payload: { echo: 'a\u0000b' } }, 'payload.echo'],
    ['an unknown client', { clientId: 'nobody', action: 'noop', payload: {} }, 'clientId'],
  ])('names the fault of %s', async (_, body, path) => {
    const answer = await env.post('/api/commands', body).expect(400);
    expect(answer.headers['content-type']).toContain('application/problem+json');
    expect((answer.body as { errors: { path: string }[] }).errors.map((error) => error.path)).toContain(path);
  });

  it('sends an action of the agents\' own to many, when all have it and each takes the payload', async () => {
    const dispense = (most: number): object => ({ name: 'dispense', schema: { type: 'object', properties: { coins: { type: 'integer', maximum: most }, pin: { writeOnly: true } } } });
    const machine = async (name: string, actions: object[]): Promise<FakeAgent> => {
      const agent = await env.connect(await env.client(name, { groups: ['dispensers', name] }));
      expect(await agent.post('/api/agents/session', { version: '1', platform: 'x', actions, inFlight: [] })).toBe(200);
      return agent;
    };
    const [large, small] = [await machine('large', [dispense(100)]), await machine('small', [dispense(10)])];
    const batch = (groups: string[], coins: number, action = 'dispense'): request.Test =>
      env.post('/api/commands/batch', { targets: { groups }, action, payload: { coins, pin: 'secret' } });
    const faultOf = async (call: request.Test): Promise<{ path: string; message: string }[]> => ((await call.expect(400)).body as { errors: { path: string; message: string }[] }).errors;

    await batch(['dispensers'], 10).expect(201);
    for (const agent of [large, small]) await eventually(() => expect(agent.received.map(({ payload }) => payload)).toEqual([{ coins: 10, pin: 'secret' }]));
    const stored = await env.sql<{ payload: object }>(`SELECT payload FROM commands WHERE action = 'dispense'`);
    expect(stored.map(({ payload }) => payload)).toEqual([{ coins: 10 }, { coins: 10 }]);
    expect(await faultOf(batch(['dispensers'], 11))).toMatchObject([{ path: 'payload.coins' }]);
    await batch(['large'], 11).expect(201);
    await machine('mute', []);
    expect(await faultOf(batch(['dispensers'], 1))).toEqual([{ path: 'action', message: '1 of these clients do not have the action dispense, mute for one' }]);
    expect(await faultOf(batch(['mute'], 1))).toMatchObject([{ path: 'action', message: expect.stringContaining('unknown action') as string }]);
  });

  it('refuses malformed, deep and large bodies without a 5xx', async () => {
    const send = (body: string): request.Test =>
      request(env.url).post('/api/commands').set('Authorization', `Bearer ${env.token}`).set('Content-Type', 'application/json').send(body);
    await send('{"clientId":').expect(400);
    await send(`{"payload":${'['.repeat(5000)}${']'.repeat(5000)}}`).expect(400);
    await send(JSON.stringify({ payload: 'x'.repeat(2 << 20) })).expect(413);
    await request(env.url).get('/api/commands').expect(401);
    await request(env.url).get('/api/commands').set('Authorization', 'Bearer nonsense').expect(401);
  });

  it('opens no stream for a HEAD, which would take the agent its own', async () => {
    const client = await env.client('headed');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    const head = async (path: string, token: string): Promise<number> =>
      (await fetch(env.url + path, { method: 'HEAD', headers: { Authorization: `Bearer ${token}` } })).status;
    expect(await head(`/api/events/${client.id}`, client.clientKey)).toBe(404);
    expect(await head('/api/events', env.token)).toBe(404);
    expect(await head(`/api/commands/${id}/stream`, env.token)).toBe(404);
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([id]));
    expect(agent.closed).toBe(false);
  });

  it('knows an id in capitals', async () => {
    const { id, clientKey } = await env.client('shouted');
    const agent = await env.connect({ id: id.toUpperCase(), clientKey });
    const { body } = await env.post('/api/commands/batch', { targets: { clientIds: [id.toUpperCase()] }, action: 'noop', payload: {} }).expect(201);
    expect(body).toMatchObject({ count: 1 });
    await eventually(() => expect(agent.received).toHaveLength(1));
    await env.get(`/api/commands/${agent.received[0]?.id.toUpperCase()}`).expect(200);
  });

  it('names an attempt that no command can have', async () => {
    const client = await env.client('far-off');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    for (const [word, body] of [['start', {}], ['result', { success: true }], ['output', { chunks: [] }]] as const) {
      expect([word, await agent.post(`/api/commands/${id}/${word}`, { ...body, attempt: 2 ** 31 })]).toEqual([word, 400]);
    }
    expect(await agent.post(`/api/commands/${id}/output`, { chunks: [[]] })).toBe(400);
  });
});
