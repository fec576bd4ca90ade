import request from 'supertest';
import { eventually, TestEnvironment } from './support/environment';
import { EventReader } from './support/event-reader';
import type { FakeAgent } from './support/fake-agent';

const LATER_MS = 600;

describe('what an agent says late, again, or only in part', () => {
  let env: TestEnvironment;
  // No sweep comes between: what is overdue stays as it is until somebody asks.
  beforeAll(async () => (env = await TestEnvironment.create({ SWEEP_MS: '600000' })));
  afterAll(() => env.destroy());

  let machines = 0;
  const machine = async (): Promise<{ client: { id: string; clientKey: string }; agent: FakeAgent }> => {
    const client = await env.client(`machine-${++machines}`, { concurrency: 10 });
    return { client, agent: await env.connect(client) };
  };
  const handed = async ({ id }: { id: string }, agent: FakeAgent, settings: object = {}): Promise<string> => {
    const command = await env.command(id, settings);
    await eventually(() => expect(agent.received.map((frame) => frame.id)).toContain(command));
    return command;
  };
  const read = async (id: string): Promise<Record<string, unknown>> => (await env.get(`/api/commands/${id}`).expect(200)).body as Record<string, unknown>;
  const watch = (id: string, after?: string): Promise<EventReader> => EventReader.open(`${env.url}/api/commands/${id}/stream`, env.token, after);

  it('a start after expiresAt is refused, one before it holds', async () => {
    const { client, agent } = await machine();
    const expiresAt = new Date(Date.now() + LATER_MS).toISOString();
    const [late, begun] = [await handed(client, agent, { expiresAt }), await handed(client, agent, { expiresAt })];
    expect(await agent.post(`/api/commands/${begun}/start`, {})).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 2 * LATER_MS));
    expect(await agent.post(`/api/commands/${late}/start`, {})).toBe(409);
    expect(await read(late)).toMatchObject({ status: 'dispatched', startedAt: null });
    // Said again, because its answer was lost; and the end of what began in time.
    expect(await agent.post(`/api/commands/${begun}/start`, {})).toBe(200);
    expect(await agent.post(`/api/commands/${begun}/result`, { success: true })).toBe(200);
    expect(await read(begun)).toMatchObject({ status: 'completed' });
  });

  it('a result without a start says both, unless nothing was begun', async () => {
    const { client, agent } = await machine();
    for (const [body, status] of [[{ success: true }, 'completed'], [{ success: false, error: 'x' }, 'failed']] as const) {
      const id = await handed(client, agent);
      expect(await agent.post(`/api/commands/${id}/result`, body)).toBe(200);
      expect(await read(id)).toMatchObject({ status, startedAt: expect.any(String), completedAt: expect.any(String) });
    }
    const refused = await handed(client, agent);
    expect(await agent.post(`/api/commands/${refused}/result`, { success: false, outcome: 'refused', error: 'x' })).toBe(200);
    expect(await read(refused)).toMatchObject({ status: 'failed', startedAt: null });
    // Its own start is kept.
    const started = await handed(client, agent);
    await agent.post(`/api/commands/${started}/start`, {});
    const { startedAt } = await read(started);
    await agent.post(`/api/commands/${started}/result`, { success: true });
    expect(await read(started)).toMatchObject({ startedAt });
  });

  it('output of an attempt before is a no-op when it is there, and refused when it is new', async () => {
    const { client, agent } = await machine();
    const id = await handed(client, agent);
    const piece = (seq: number): object => ({ attempt: 1, chunks: [{ seq, stream: 'stdout', text: `${seq}` }] });
    expect(await agent.post(`/api/commands/${id}/output`, piece(0))).toBe(200);
    expect(await agent.post(`/api/commands/${id}/result`, { attempt: 1, success: false, error: 'x' })).toBe(200);
    await env.post(`/api/commands/${id}/retry`).expect(200);
    expect(await agent.post(`/api/commands/${id}/output`, piece(0))).toBe(200);
    expect(await agent.post(`/api/commands/${id}/output`, piece(1))).toBe(409);
    expect((await env.get(`/api/commands/${id}/output`).expect(200)).body).toMatchObject({ items: [{ attempt: 1, seq: 0, text: '0' }] });
  });

  it('output after a time-out reaches whoever had read up to the time-out', async () => {
    const { client, agent } = await machine();
    const id = await handed(client, agent);
    await agent.post(`/api/commands/${id}/start`, {});
    expect(await agent.post(`/api/commands/${id}/result`, { success: false, outcome: 'timed_out', error: 'x' })).toBe(200);
    const first = await watch(id);
    await eventually(() => expect(first.closed).toBe(true));
    const ended = first.lastId;
    expect((await watch(id, ended)).status).toBe(204);
    expect(await agent.post(`/api/commands/${id}/output`, { chunks: [{ seq: 0, stream: 'stdout', text: 'late' }] })).toBe(200);
    const second = await watch(id, ended);
    await eventually(() => expect(second.closed).toBe(true));
    expect(second.events.map(({ event }) => event)).toEqual(['output']);
    expect(second.of('output')).toMatchObject([{ text: 'late' }]);
    expect((await watch(id, second.lastId)).status).toBe(204);
  });

  it('the queue of a client comes by pages, each command once', async () => {
    const client = await env.client('away');
    for (let n = 0; n < 7; n++) await env.command(client.id, { priority: n % 3 });
    const whole = (await env.get('/api/clients/away/queue').expect(200)).body as { items: { id: string; priority: number }[]; nextCursor: string | null };
    expect([whole.items.length, whole.nextCursor]).toEqual([7, null]);
    expect(whole.items.map(({ priority }) => priority)).toEqual([2, 2, 1, 1, 0, 0, 0]);
    const paged: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await env.get(`/api/clients/away/queue?limit=3${cursor && `&cursor=${cursor}`}`).expect(200);
      const { items, nextCursor } = body as typeof whole;
      paged.push(...items.map(({ id }) => id));
      cursor = nextCursor;
    }
    expect(paged).toEqual(whole.items.map(({ id }) => id));
    await env.get('/api/clients/away/queue?limit=0').expect(400);
  });

  it('all of a long output comes, in its order, and a report that is said again adds nothing', async () => {
    const { client, agent } = await machine();
    const id = await handed(client, agent);
    const chunks = Array.from({ length: 50 }, (_, seq) => ({ seq, stream: 'stdout', text: `줄 "${seq}"\n` }));
    for (let again = 0; again < 2; again++) expect(await agent.post(`/api/commands/${id}/output`, { chunks, progress: { percent: 50 } })).toBe(200);
    const answer = await env.get(`/api/commands/${id}/output`).expect(200).expect('content-type', /^application\/json/);
    expect(answer.body).toEqual({ items: chunks.map((chunk) => ({ ...chunk, attempt: 1 })) });
    expect(await env.sql(`SELECT 1 FROM command_outputs WHERE command_id = $1 AND stream = 'progress'`, [id])).toHaveLength(1);
    const other = await handed(client, agent);
    expect((await env.get(`/api/commands/${other}/output`).expect(200)).body).toEqual({ items: [] });
  });

  it('a cancel by an id in capitals reaches it', async () => {
    const { client, agent } = await machine();
    const id = await handed(client, agent);
    await agent.post(`/api/commands/${id}/start`, {});
    await env.post(`/api/commands/${id.toUpperCase()}/cancel`).expect(200);
    await eventually(() => expect(agent.cancelled).toEqual([id]));
  });

  it('an end before the beginning is refused', async () => {
    const client = await env.client('never');
    const [early, late] = ['2099-01-01T00:00:00Z', '2099-01-01T01:00:00+02:00'];
    const order = { clientId: client.id, action: 'noop', payload: {} };
    const { body } = await env.post('/api/commands', { ...order, notBefore: early, expiresAt: late }).expect(400);
    expect(body).toMatchObject({ errors: [{ path: 'expiresAt', message: 'must be after notBefore' }] });
    await env.post('/api/commands', { ...order, notBefore: late, expiresAt: early }).expect(201);
  });

  it.each([
    ['attachment; filename="report 100%.txt"', 'report 100%.txt'],
    ['attachment; filename="a;b.txt"', 'a;b.txt'],
    ['attachment; filename="a\\"b.txt"', 'a"b.txt'],
    [`attachment; filename="x.txt"; filename*=UTF-8''%ED%94%84.txt`, '프.txt'],
    ['attachment', 'artifact'],
  ])('the name of a file in %s', async (disposition, name) => {
    const { client, agent } = await machine();
    const id = await handed(client, agent);
    const upload = request(env.url).post(`/api/commands/${id}/artifacts`).set('Authorization', `Bearer ${client.clientKey}`).set('Content-Type', 'text/plain');
    expect((await upload.set('Content-Disposition', disposition).send('x').expect(201)).body).toMatchObject({ name });
  });
});
