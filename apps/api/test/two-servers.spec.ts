import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { ADMIN, createDatabase, dropDatabase, eventually, query as sql } from './support/environment';
import { EventReader } from './support/event-reader';
import { FakeAgent } from './support/fake-agent';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { ServerProcess } from './support/server-process';

const PASSWORD = 'violet kettle drum';
type Method = 'get' | 'post' | 'patch' | 'put' | 'delete';
interface Made {
  id: string;
  clientKey: string;
}

/** Two processes of one program on one PostgreSQL and Redis; whoever asks one of them is told by the other. */
describe('two servers side by side', () => {
  let folder: string;
  let databaseUrl: string;
  let [a, b]: ServerProcess[] = [];
  let admin: string;
  const streams: { close(): void }[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-two-'));
    databaseUrl = await createDatabase();
    const settings = {
      DATABASE_URL: databaseUrl, REDIS_URL: redisOfThisWorker(), JWT_SECRET: randomUUID() + randomUUID(), DB_POOL_MIN: '0',
      ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password, ARTIFACTS_DIR: join(folder, 'artifacts'), AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
    };
    [a, b] = await Promise.all([ServerProcess.start(settings), ServerProcess.start(settings)]);
    admin = await logIn(at(a), ADMIN.email, ADMIN.password);
  }, 90_000);
  afterEach(() => streams.splice(0).forEach((stream) => stream.close()));
  afterAll(async () => {
    await Promise.all([a?.stop(), b?.stop()]);
    rmSync(folder, { recursive: true, force: true });
    await dropDatabase(databaseUrl);
  });

  const at = (server: ServerProcess | undefined): string => server?.url ?? '';
  const call = (server: ServerProcess | undefined, token: string, method: Method, path: string, body?: object): request.Test =>
    request(at(server))[method](path).set('Authorization', `Bearer ${token}`).send(body);
  const logIn = async (url: string, email: string, password: string): Promise<string> =>
    ((await request(url).post('/api/auth/login').send({ email, password }).expect(200)).body as { accessToken: string }).accessToken;
  const made = async (test: request.Test): Promise<Made> => (await test.expect(201)).body as Made;
  const client = (name: string): Promise<Made> => made(call(a, admin, 'post', '/api/clients', { name }));
  const order = (clientId: string): object => ({ clientId, action: 'noop', payload: {} });
  const open = async (server: ServerProcess | undefined, path: string, token: string): Promise<EventReader> => {
    const reader = await EventReader.open(at(server) + path, token);
    streams.push(reader);
    return reader;
  };
  /** An agent's stream that is live. */
  const stream = async (server: ServerProcess | undefined, { id, clientKey }: Made): Promise<EventReader> => {
    const reader = await open(server, `/api/events/${id}`, clientKey);
    await eventually(() => expect(reader.of('hello')).toHaveLength(1));
    return reader;
  };
  const user = async (name: string): Promise<{ id: string; token: string }> => {
    const { id } = await made(call(a, admin, 'post', '/api/users', { email: `${name}@example.com`, name, password: PASSWORD, roles: ['operator'] }));
    return { id, token: await logIn(at(b), `${name}@example.com`, PASSWORD) };
  };

  it('bring an order that one takes to the agent at the other, and its outcome back', async () => {
    const machine = await client('machine');
    const agent = new FakeAgent(at(b), machine.id, machine.clientKey);
    streams.push({ close: () => agent.disconnect() });
    await agent.connect();
    const news = await open(a, '/api/events', admin);
    await eventually(() => expect(news.of('hello')).toHaveLength(1));
    const { id } = await made(call(a, admin, 'post', '/api/commands', order(machine.id)));
    const watching = await open(a, `/api/commands/${id}/stream`, admin);
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([id]));
    expect(await agent.post(`/api/commands/${id}/start`, {})).toBe(200);
    expect(await agent.post(`/api/commands/${id}/output`, { chunks: [{ seq: 0, stream: 'stdout', text: 'done' }] })).toBe(200);
    expect(await agent.post(`/api/commands/${id}/result`, { success: true, data: 7 })).toBe(200);
    await eventually(() => expect(watching.closed).toBe(true));
    expect(watching.of<{ status: string }>('status').map(({ status }) => status)).toEqual(['pending', 'dispatched', 'running', 'completed']);
    expect(watching.of<{ text: string }>('output').map(({ text }) => text)).toEqual(['done']);
    await eventually(() => expect(news.of('command')).toContainEqual(expect.objectContaining({ id, status: 'completed' })));
    for (const server of [a, b]) expect((await call(server, admin, 'get', `/api/commands/${id}`)).body).toMatchObject({ status: 'completed', result: { data: 7 } });
    expect(agent.received).toHaveLength(1);
  });

  it('let the newest of two streams with one key win, and tell the older why', async () => {
    const machine = await client('twice');
    const first = await stream(a, machine);
    const second = await stream(b, machine);
    await eventually(() => expect([first.of('bye'), first.closed]).toEqual([[{ reason: 'replaced' }], true]));
    const { id } = await made(call(a, admin, 'post', '/api/commands', order(machine.id)));
    await eventually(() => expect(second.of<Made>('command').map((command) => command.id)).toEqual([id]));
    const third = await stream(a, machine);
    await eventually(() => expect([second.of('bye'), second.closed]).toEqual([[{ reason: 'replaced' }], true]));
    // What was not started is sent again on the stream that is live now.
    await eventually(() => expect(third.of<Made>('command').map((command) => command.id)).toEqual([id]));
    expect([first.of('command'), third.of('bye')]).toEqual([[], []]);
    expect((await call(b, admin, 'get', '/api/clients/twice')).body).toMatchObject({ status: 'online' });
  });

  it('hear an agent that speaks to one and listens at the other', async () => {
    const [speaking, silent] = [await client('speaking'), await client('silent')];
    const promise = async ({ id, clientKey }: Made): Promise<EventReader> => {
      const reader = await open(a, `/api/events/${id}?aliveEveryMs=3000`, clientKey);
      await eventually(() => expect(reader.of('hello')).toHaveLength(1));
      return reader;
    };
    const [kept, ended] = [await promise(speaking), await promise(silent)];
    await eventually(async () => {
      await call(b, speaking.clientKey, 'post', '/api/agents/alive').expect(204);
      expect([ended.of('bye'), ended.closed]).toEqual([[{ reason: 'silent' }], true]);
    });
    expect([kept.of('bye'), kept.closed]).toEqual([[], false]);
  });

  it('find out in PostgreSQL what no news came of', async () => {
    const machine = await client('unheard');
    const [older, revoked] = [await stream(a, machine), await stream(b, await client('unheard-revoked'))];
    await sql(databaseUrl, `UPDATE clients SET connection_id = gen_random_uuid() WHERE name = 'unheard'`);
    await sql(databaseUrl, `DELETE FROM client_keys WHERE client_id = (SELECT id FROM clients WHERE name = 'unheard-revoked')`);
    await eventually(() => expect([older.of('bye'), older.closed]).toEqual([[{ reason: 'replaced' }], true]));
    await eventually(() => expect([revoked.of('bye'), revoked.closed]).toEqual([[{ reason: 'revoked' }], true]));
  });

  it('end what somebody disabled at one has open at the other', async () => {
    const machine = await client('watched');
    const kim = await user('kim');
    // The other knows the caller already, and believes what it knew a moment ago only for calls that are checked again.
    await made(call(b, kim.token, 'post', '/api/commands', order(machine.id)));
    const { id } = await made(call(b, kim.token, 'post', '/api/commands', order(machine.id)));
    const readers = [await open(b, '/api/events', kim.token), await open(b, `/api/commands/${id}/stream`, kim.token)];
    await eventually(() => expect(readers.map(({ events }) => events.length > 0)).toEqual([true, true]));
    await call(a, admin, 'patch', `/api/users/${kim.id}`, { disabled: true }).expect(200);
    await call(b, kim.token, 'post', '/api/commands', order(machine.id)).expect(401);
    await call(b, kim.token, 'get', '/api/commands').expect(401);
    await eventually(() => expect(readers.map((reader) => [reader.of('bye'), reader.closed])).toEqual([[[{ reason: 'ended' }], true], [[{ reason: 'ended' }], true]]));
  });

  it('feel rights that are withdrawn at one in the next call to the other', async () => {
    const machine = await client('guarded');
    const lee = await user('lee');
    await made(call(b, lee.token, 'post', '/api/commands', order(machine.id)));
    const news = await open(b, '/api/events', lee.token);
    await eventually(() => expect(news.of('hello')).toHaveLength(1));
    await call(a, admin, 'put', `/api/users/${lee.id}/roles`, { roles: ['viewer'] }).expect(200);
    await call(b, lee.token, 'post', '/api/commands', order(machine.id)).expect(403);
    await eventually(() => expect([news.of('bye'), news.closed]).toEqual([[{ reason: 'rights_changed' }], true]));
  });

  it("close the agent's stream at one when its key is revoked at the other", async () => {
    const machine = await client('revoked');
    const live = await stream(b, machine);
    const { body } = await call(a, admin, 'get', '/api/clients/revoked/keys').expect(200);
    const [key] = (body as { items: { id: string }[] }).items;
    await call(a, admin, 'delete', `/api/clients/revoked/keys/${key?.id}`).expect(204);
    await eventually(() => expect([live.of('bye'), live.closed]).toEqual([[{ reason: 'revoked' }], true]));
    expect((await open(b, `/api/events/${machine.id}`, machine.clientKey)).status).toBe(401);
    await eventually(async () => expect((await call(a, admin, 'get', '/api/clients/revoked')).body).toMatchObject({ status: 'offline' }));
  });
});
