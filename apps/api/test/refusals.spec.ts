import request from 'supertest';
import { eventually, TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';
interface Row {
  actor_type: string;
  actor_id: string | null;
  actor_name: string | null;
  action: string;
  target_id: string | null;
  outcome: string;
}

/** Who did it, and who was turned away: the record names them, whatever the answer looked like. */
describe('what is recorded of changes and refusals', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  const record = (action: string): Promise<Row[]> => env.sql<Row>('SELECT * FROM audit_log WHERE action = $1 ORDER BY id', [action]);
  const as = (token: string, method: 'get' | 'post' | 'put' | 'delete' | 'patch', path: string, body: object = {}): request.Test => {
    const call = request(env.url)[method](path).set('Authorization', `Bearer ${token}`);
    return method === 'get' ? call : call.send(body);
  };
  const user = async (name: string, settings: object = {}): Promise<{ id: string; token: string; cookie: string }> => {
    const { body } = await env.post('/api/users', { email: `${name}@example.com`, name, password: PASSWORD, ...settings }).expect(201);
    const answer = await request(env.url).post('/api/auth/login').send({ email: `${name}@example.com`, password: PASSWORD }).expect(200);
    const cookie = (answer.headers['set-cookie'] as unknown as string[])[0]?.split(';')[0] ?? '';
    return { id: (body as { id: string }).id, token: (answer.body as { accessToken: string }).accessToken, cookie };
  };
  const script = async (...permissions: string[]): Promise<string> =>
    ((await env.post('/api/auth/tokens', { name: permissions.join(), permissions }).expect(201)).body as { token: string }).token;

  it('names the system as the maker of the first admin, and the person as who logged in and out', async () => {
    const [first] = await record('users.create');
    expect(first).toMatchObject({ actor_type: 'system', actor_id: null, outcome: 'done' });
    const { id, cookie } = await user('in-and-out');
    await request(env.url).post('/api/auth/logout').set('Cookie', cookie).expect(204);
    for (const action of ['auth.login', 'auth.logout']) {
      const row = (await record(action)).find(({ target_id }) => target_id === id);
      expect(row).toMatchObject({ actor_type: 'user', actor_id: id, actor_name: 'in-and-out@example.com', outcome: 'done' });
    }
  });

  it('tells of who looked for what is not theirs, was locked out, or tried to break what protects all', async () => {
    const { id } = await env.client('hidden');
    const confined = await user('confined', { roles: ['operator'], scope: 'granted' });
    await as(confined.token, 'get', `/api/clients/${id}`).expect(404);
    const mine = ((await env.get('/api/auth/sessions')).body as { items: { id: string }[] }).items[0]?.id ?? '';
    await as(confined.token, 'delete', `/api/auth/sessions/${mine}`).expect(404);
    expect(await record('clients.read')).toMatchObject([{ actor_id: confined.id, target_id: id, outcome: 'refused' }]);
    expect(await record('auth.end_session')).toMatchObject([{ actor_id: confined.id, target_id: mine, outcome: 'refused' }]);

    await env.get('/api/users/admin@example.com').expect(200);
    await request(env.url).put('/api/users/admin@example.com/roles').set('Authorization', `Bearer ${env.token}`).send({ roles: [] }).expect(409);
    await request(env.url).delete('/api/roles/viewer').set('Authorization', `Bearer ${env.token}`).expect(409);
    const attempt = (): request.Test => request(env.url).post('/api/auth/login').send({ email: 'nobody@example.com', password: 'x' });
    await eventually(async () => {
      await attempt().expect(429);
    });
    const refused = (await record('access')).map(({ target_id }) => target_id);
    for (const route of ['PUT /api/users/:id/roles', 'DELETE /api/roles/:id', 'POST /api/auth/login']) expect(refused).toContain(route);
  });

  it('tells of a batch for machines that are hidden from its maker, however many, as of a single command', async () => {
    const [mine, ...hidden] = await Promise.all(['mine', 'theirs-1', 'theirs-2'].map((name) => env.client(name)));
    const lee = await user('batcher', { roles: ['operator'], scope: 'granted' });
    await as(env.token, 'put', '/api/clients/mine/permissions', { items: [{ user: 'batcher@example.com', actions: ['noop'] }] }).expect(200);
    const batch = (clientIds: string[]): request.Test => as(lee.token, 'post', '/api/commands/batch', { targets: { clientIds }, action: 'noop' });
    const ids = hidden.map(({ id }) => id);
    const { body } = await batch([mine?.id ?? '', ...ids, 'theirs-1', 'nothing']).expect(400);
    expect((body as { errors: { path: string }[] }).errors.map(({ path }) => path)).toEqual([1, 2, 3, 4].map((n) => `targets.clientIds[${n}]`));
    const rows = await env.sql<Row & { detail: object }>(`SELECT * FROM audit_log WHERE action = 'commands.create_batch'`);
    expect(rows).toMatchObject([
      { actor_id: lee.id, target_type: 'client', target_id: ids[0], outcome: 'refused', detail: { route: 'POST /api/commands/batch', unknown: 4, others: [ids[1]] } },
    ]);
    await batch(['theirs-2']).expect(400);
    expect(await record('commands.create_batch')).toMatchObject([{}, { actor_id: lee.id, target_id: null, outcome: 'refused' }]);
    await batch(['mine']).expect(201);
  });

  it('records every artifact', async () => {
    const { id, clientKey } = await env.client('camera');
    const command = await env.command(id);
    const upload = (): request.Test =>
      request(env.url).post(`/api/commands/${command}/artifacts`).set('Authorization', `Bearer ${clientKey}`).set('Content-Type', 'image/png').send(Buffer.from('x'));
    await upload().expect(201);
    await upload().expect(201);
    expect(await record('commands.artifact')).toMatchObject([{ actor_type: 'agent', actor_id: id, target_id: command, outcome: 'done' }]);
  });

  it('answers a script that may do one thing with what it did', async () => {
    const client = await env.client('single');
    const create = await script('commands.create');
    const { body } = await as(create, 'post', '/api/commands', { clientId: 'single', action: 'noop' }).expect(201);
    const { id } = body as { id: string };
    expect(body).toMatchObject({ clientId: client.id, status: 'pending' });
    await as(create, 'get', `/api/commands/${id}`).expect(403);
    const cancelled = await as(await script('commands.cancel'), 'post', `/api/commands/${id}/cancel`).expect(200);
    expect(cancelled.body).toMatchObject({ id, status: 'cancelled' });
    await as(await script('commands.retry'), 'post', `/api/commands/${id}/retry`).expect(200);
    const made = await as(await script('clients.manage'), 'post', '/api/clients', { name: 'made-by-script' }).expect(201);
    expect((made.body as { clientKey: string }).clientKey).toMatch(/^sk_/);
    await as(await script('clients.manage'), 'patch', '/api/clients/made-by-script', { labels: { a: 'b' } }).expect(200);
  });

  it('lets one of two machines have the name that both are given at once', async () => {
    const clients = await Promise.all(['one', 'two', 'three', 'four'].map((name) => env.client(name)));
    const answers = await Promise.all(clients.map(({ id }) => as(env.token, 'patch', `/api/clients/${id}`, { name: 'both' })));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
  });

  it('takes no enrolment token of somebody who may no longer add machines', async () => {
    const maker = await user('maker', { roles: ['admin'] });
    const { body } = await as(maker.token, 'post', '/api/enrolment-tokens', {}).expect(201);
    await request(env.url).put(`/api/users/${maker.id}/roles`).set('Authorization', `Bearer ${env.token}`).send({ roles: ['viewer'] }).expect(200);
    await request(env.url).post('/api/enrol').send({ token: (body as { token: string }).token, name: 'late', platform: 'linux' }).expect(401);
  });

  it('lets of two admins who remove each other at once only one succeed', async () => {
    const [a, b] = [await user('admin-a', { roles: ['admin'] }), await user('admin-b', { roles: ['admin'] })];
    const answers = await Promise.all([as(a.token, 'put', `/api/users/${b.id}/roles`, { roles: [] }), as(b.token, 'put', `/api/users/${a.id}/roles`, { roles: [] })]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403]);
  });
});
