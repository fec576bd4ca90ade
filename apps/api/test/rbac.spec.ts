import request from 'supertest';
import { eventually, TestEnvironment } from './support/environment';

interface Body {
  id: string;
  items: { id: string; name: string; clientId: string; action: string; scope: string; actions: string[] }[];
  code: string;
  detail: string;
  errors: { path: string }[];
  allowed: boolean;
  reasons: string[];
}

const PASSWORD = 'violet kettle drum';

describe('who may do what', () => {
  let env: TestEnvironment;
  const clients: Record<string, { id: string; clientKey: string }> = {};
  beforeAll(async () => {
    env = await TestEnvironment.create();
    for (const [name, groups] of [['till-1', ['seoul']], ['till-2', ['seoul']], ['till-3', ['busan']]] as const) {
      clients[name] = await env.client(name, { groups });
    }
  });
  afterAll(() => env.destroy());

  const idOf = (name: string): string => clients[name]?.id ?? '';
  const call = (token: string, method: 'get' | 'post' | 'put' | 'patch' | 'delete', path: string, body?: object): request.Test => {
    const test = request(env.url)[method](path).set('Authorization', `Bearer ${token}`);
    return body ? test.send(body) : test;
  };
  const user = async (name: string, roles: string[], settings: object = {}): Promise<{ id: string; token: string }> => {
    const email = `${name}@example.com`;
    const { body } = await env.post('/api/users', { email, name, password: PASSWORD, roles, ...settings }).expect(201);
    const login = await request(env.url).post('/api/auth/login').send({ email, password: PASSWORD }).expect(200);
    return { id: (body as Body).id, token: (login.body as { accessToken: string }).accessToken };
  };
  const grant = (client: string, items: object[]): request.Test => call(env.token, 'put', `/api/clients/${client}/permissions`, { items });
  const names = ({ body }: request.Response): string[] => (body as Body).items.map((item) => item.name).sort();
  const order = (client: string, settings: object = {}): object => ({ clientId: client, action: 'noop', payload: {}, ...settings });

  it('lets the built-in roles do what they are for', async () => {
    const operator = await user('operator', ['operator']);
    const viewer = await user('viewer', ['viewer']);
    await call(operator.token, 'post', '/api/commands', order('till-1')).expect(201);
    await call(viewer.token, 'get', '/api/commands').expect(200);
    await call(viewer.token, 'post', '/api/commands', order('till-1')).expect(403);
    await call(operator.token, 'get', '/api/users').expect(403);
    const rows = await env.sql<{ target_id: string }>(`SELECT target_id FROM audit_log WHERE outcome = 'refused' AND actor_id = $1`, [viewer.id]);
    expect(rows.map((row) => row.target_id)).toEqual(['POST /api/commands']);
  });

  it('confines whoever a grant names to what grants say, in lists, batches and single objects', async () => {
    const kim = await user('kim', ['operator']);
    expect(names(await call(kim.token, 'get', '/api/clients').expect(200))).toEqual(['till-1', 'till-2', 'till-3']);
    await grant('till-1', [{ user: 'kim@example.com', actions: ['noop'] }]).expect(200);

    expect(names(await call(kim.token, 'get', '/api/clients').expect(200))).toEqual(['till-1']);
    await call(kim.token, 'get', '/api/clients/till-2').expect(404);
    await call(kim.token, 'post', '/api/commands', order('till-1')).expect(201);
    expect(((await call(kim.token, 'post', '/api/commands', order('till-2')).expect(400)).body as Body).errors[0]?.path).toBe('clientId');
    await call(kim.token, 'post', '/api/commands', order('till-1', { action: 'system_info' })).expect(403);

    const foreign = await env.command('till-2');
    const otherAction = await env.command('till-1', { action: 'system_info' });
    for (const id of [foreign, otherAction]) {
      for (const path of ['', '/logs', '/output', '/stream', '/artifacts']) await call(kim.token, 'get', `/api/commands/${id}${path}`).expect(404);
      for (const path of ['/cancel', '/retry']) await call(kim.token, 'post', `/api/commands/${id}${path}`).expect(404);
    }
    const listed = (await call(kim.token, 'get', '/api/commands').expect(200)).body as Body;
    expect(new Set(listed.items.map((item) => `${item.clientId} ${item.action}`))).toEqual(new Set([`${idOf('till-1')} noop`]));
    const { body: batch } = await call(kim.token, 'post', '/api/commands/batch', { targets: { all: true }, action: 'noop', payload: {} }).expect(201);
    expect(batch).toMatchObject({ count: 1 });
    const { body: wide } = await env.post('/api/commands/batch', { targets: { groups: ['seoul'] }, action: 'noop', payload: {} }).expect(201);
    const seen = await call(kim.token, 'get', `/api/batches/${(wide as { batchId: string }).batchId}`).expect(200);
    expect(seen.body).toMatchObject({ total: 1 });

    // Taking the grant away takes the right away, and gives nothing back.
    await grant('till-1', []).expect(200);
    expect(names(await call(kim.token, 'get', '/api/clients').expect(200))).toEqual([]);
  });

  it('holds parameters against the limits of the grant, and names the field', async () => {
    const lee = await user('lee', ['operator'], { scope: 'granted' });
    const limits = { print: { copies: { maximum: 10 }, printer: { enum: ['office'] } } };
    await grant('till-1', [{ user: 'lee@example.com', actions: ['print'], limits }]).expect(200);
    const print = (payload: object): request.Test =>
      call(lee.token, 'post', '/api/commands', order('till-1', { action: 'print', payload: { filePath: '/a.pdf', ...payload } }));
    await print({ copies: 10, printer: 'office' }).expect(201);
    await print({ printer: 'office' }).expect(201);
    expect(((await print({ copies: 11, printer: 'office' }).expect(403)).body as Body).errors[0]?.path).toBe('payload.copies');
    expect(((await print({ copies: 1 }).expect(403)).body as Body).errors[0]?.path).toBe('payload.printer');
    const wrong = await grant('till-1', [{ user: 'lee@example.com', actions: ['print'], limits: { print: { copies: { maximum: 'x' } } } }]).expect(400);
    expect((wrong.body as Body).errors[0]?.path).toBe('items[0].limits.print.copies');
    const answer = await call(env.token, 'get', '/api/clients/till-1/permissions').expect(200);
    await call(env.token, 'put', '/api/clients/till-1/permissions', answer.body as object).expect(200);
  });

  it('reaches groups through roles of its own, and lets nobody put a machine into a group beyond their rights', async () => {
    await env.post('/api/roles', { name: 'branch', permissions: ['commands.create', 'commands.read', 'clients.read', 'clients.manage'], scope: 'granted' }).expect(201);
    const park = await user('park', ['branch']);
    expect(names(await call(park.token, 'get', '/api/clients').expect(200))).toEqual([]);
    await call(env.token, 'put', '/api/groups/seoul/permissions', { items: [{ role: 'branch', actions: ['*'] }] }).expect(200);
    expect(names(await call(park.token, 'get', '/api/clients').expect(200))).toEqual(['till-1', 'till-2']);

    await user('choi', ['auditor'], { scope: 'granted' });
    await call(env.token, 'put', '/api/groups/vault/permissions', { items: [{ user: 'choi@example.com', actions: ['*'] }] }).expect(200);
    // Joining the vault would let choi read the audit of till-1, which park may not.
    expect(((await call(park.token, 'patch', '/api/clients/till-1', { groups: ['seoul', 'vault'] }).expect(403)).body as Body).detail).toContain('audit.read');
    await call(park.token, 'patch', '/api/clients/till-1', { groups: ['seoul', 'spare'] }).expect(200);
    await call(park.token, 'patch', '/api/clients/till-3', { groups: ['seoul'] }).expect(404);
    await call(park.token, 'post', '/api/clients', { name: 'mine' }).expect(403);
  });

  it('never gives what the giver lacks', async () => {
    await env.post('/api/roles', { name: 'clerk', permissions: ['users.manage', 'roles.manage', 'commands.read', 'clients.read'] }).expect(201);
    const clerk = await user('clerk', ['clerk']);
    await call(clerk.token, 'post', '/api/users', { email: 'a@example.com', name: 'a', password: PASSWORD, roles: ['admin'] }).expect(403);
    await call(clerk.token, 'post', '/api/users', { email: 'b@example.com', name: 'b', password: PASSWORD, roles: ['viewer'] }).expect(201);
    await call(clerk.token, 'put', `/api/users/${clerk.id}/roles`, { roles: ['admin'] }).expect(403);
    await call(clerk.token, 'post', '/api/roles', { name: 'more', permissions: ['audit.read'] }).expect(403);
    await call(clerk.token, 'patch', '/api/roles/clerk', { permissions: ['audit.read'] }).expect(403);
    for (const change of [{ password: PASSWORD }, { email: 'x@example.com' }, { disabled: true }]) {
      await call(clerk.token, 'patch', '/api/users/admin@example.com', change).expect(403);
    }
    await call(clerk.token, 'post', '/api/users/admin@example.com/reset-password').expect(403);
    await call(clerk.token, 'delete', '/api/users/admin@example.com').expect(403);
    await call(clerk.token, 'put', '/api/clients/till-1/permissions', { items: [] }).expect(403);
  });

  it('keeps the last admin and the built-in roles', async () => {
    for (const change of [{ disabled: true }, { scope: 'granted' }]) await call(env.token, 'patch', '/api/users/admin@example.com', change).expect(409);
    await call(env.token, 'delete', '/api/users/admin@example.com').expect(409);
    const { body } = await call(env.token, 'put', '/api/users/admin@example.com/roles', { roles: [] }).expect(409);
    expect((body as Body).code).toBe('last_admin');
    await call(env.token, 'patch', '/api/roles/viewer', { permissions: [] }).expect(409);
    await call(env.token, 'delete', '/api/roles/admin').expect(409);
  });

  it('lets a change be felt at the next call', async () => {
    const jung = await user('jung', ['operator']);
    await call(env.token, 'put', `/api/users/${jung.id}/roles`, { roles: ['viewer'] }).expect(200);
    await call(jung.token, 'post', '/api/commands', order('till-1')).expect(403);
    await call(env.token, 'patch', `/api/users/${jung.id}`, { disabled: true }).expect(200);
    await call(jung.token, 'get', '/api/commands').expect(401);
  });

  it('checks the right again when a waiting command is dispatched', async () => {
    const han = await user('han', ['operator']);
    const waiting = await env.client('switched-off');
    const create = async (settings: object = {}): Promise<string> =>
      ((await call(han.token, 'post', '/api/commands', order('switched-off', settings)).expect(201)).body as Body).id;
    const [kept, withdrawn] = [await create(), await create({ action: 'system_info' })];
    await grant('switched-off', [{ user: 'han@example.com', actions: ['noop'] }]).expect(200);
    const cancelled = await env.reaches(withdrawn, 'cancelled');
    expect(cancelled['errorMessage']).toContain('may no longer');
    const agent = await env.connect(waiting);
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([kept]));

    const byDisabled = ((await call(han.token, 'post', '/api/commands', order('switched-off', { notBefore: '2099-01-01T00:00:00Z' })).expect(201)).body as Body).id;
    await call(env.token, 'patch', `/api/users/${han.id}`, { disabled: true }).expect(200);
    expect((await env.reaches(byDisabled, 'cancelled'))['errorMessage']).toBe('its creator was disabled');
    const rows = await env.sql<{ actor_type: string }>(`SELECT actor_type FROM audit_log WHERE target_id = $1 AND action = 'commands.cancel'`, [byDisabled]);
    expect(rows).toEqual([{ actor_type: 'system' }]);
  });

  it('checks the right again for an attempt that follows by itself, however long ago the right has changed', async () => {
    const shin = await user('shin', ['operator']);
    const agent = await env.connect(await env.client('long-running', { concurrency: 2 }));
    const create = async (settings: object = {}): Promise<string> =>
      ((await call(shin.token, 'post', '/api/commands', order('long-running', { maxAttempts: 2, ...settings })).expect(201)).body as Body).id;
    const [kept, withdrawn] = [await create(), await create({ action: 'system_info' })];
    await eventually(() => expect(agent.received).toHaveLength(2));
    await grant('long-running', [{ user: 'shin@example.com', actions: ['noop'] }]).expect(200);
    await env.sql(`UPDATE users SET rights_changed_at = now() - interval '2 minutes' WHERE id = $1`, [shin.id]);
    await eventually(async () => expect(await env.sql('SELECT 1 FROM users WHERE id = $1 AND rights_doubted', [shin.id])).toEqual([]));

    for (const id of [kept, withdrawn]) expect(await agent.post(`/api/commands/${id}/result`, { success: false })).toBe(200);
    expect((await env.reaches(withdrawn, 'cancelled'))['errorMessage']).toContain('may no longer');
    await eventually(() => expect(agent.received.map(({ id }) => id)).toEqual([kept, withdrawn, kept]));
  });

  it('believes nothing that has changed without its hearing of it', async () => {
    const client = await env.client('unheard');
    const agent = await env.connect(client);
    const song = await user('song', ['operator']);
    const create = (): request.Test => call(song.token, 'post', '/api/commands', order('unheard'));
    const { body } = await create().expect(201);
    await eventually(() => expect(agent.received).toHaveLength(1));
    expect(await agent.post(`/api/commands/${(body as Body).id}/start`, {})).toBe(200);

    // As another process would do it whose news is lost.
    await env.sql(`UPDATE user_roles SET role_id = (SELECT id FROM roles WHERE name = 'viewer') WHERE user_id = $1`, [song.id]);
    await env.sql('UPDATE users SET rights_version = rights_version + 1 WHERE id = $1', [song.id]);
    await create().expect(403);
    await env.sql(`UPDATE user_roles SET role_id = (SELECT id FROM roles WHERE name = 'operator') WHERE user_id = $1`, [song.id]);
    await env.sql('UPDATE users SET rights_version = rights_version + 1 WHERE id = $1', [song.id]);
    await create().expect(201);
    await env.sql('UPDATE sessions SET revoked_at = now() WHERE user_id = $1', [song.id]);
    await create().expect(401);
    await env.sql('DELETE FROM client_keys WHERE client_id = $1', [client.id]);
    expect(await agent.post(`/api/commands/${(body as Body).id}/result`, { success: true })).toBe(401);
    expect((await env.get(`/api/commands/${(body as Body).id}`)).body).toMatchObject({ status: 'running' });
    expect(await env.sql('SELECT 1 FROM commands WHERE created_by = $1', [song.id])).toHaveLength(2);
  });

  it('explains why', async () => {
    await user('yoon', ['viewer']);
    const explain = async (query: string): Promise<Body> => (await env.get(`/api/permissions/explain?${query}`).expect(200)).body as Body;
    expect(await explain('user=yoon@example.com&action=print&client=till-1')).toMatchObject({ allowed: false });
    expect(await explain('user=admin@example.com&action=print&client=till-1')).toMatchObject({ allowed: true });
    const confined = await explain('user=lee@example.com&action=shell&client=till-1');
    expect(confined).toMatchObject({ allowed: false });
    expect(confined.reasons.join(' ')).toContain('No grant on till-1');
    await env.get('/api/permissions/explain?user=nobody&action=print&client=till-1').expect(404);
    await env.get('/api/permissions/explain?user=yoon@example.com').expect(400);
  });

  it('removes a client without losing its history, and cancels what waits for it', async () => {
    const gone = await env.client('gone');
    const id = await env.command(gone.id);
    await call(env.token, 'delete', '/api/clients/gone').expect(204);
    expect((await env.reaches(id, 'cancelled'))['errorMessage']).toBe('the client was removed');
    await env.get('/api/clients/gone').expect(404);
    await request(env.url).get('/api/events/gone').set('Authorization', `Bearer ${gone.clientKey}`).expect(401);
    await env.client('gone');
  });

  it('takes null for an absent field, and never answers 5xx to it', async () => {
    await env.post('/api/commands', order('till-1', { priority: null, expiresAt: null, maxAttempts: null, timeoutMs: null, notBefore: null })).expect(201);
    await call(env.token, 'patch', '/api/clients/till-1', { labels: null, groups: null, name: null, concurrency: null }).expect(200);
    await env.post('/api/users', { email: null, name: null }).expect(400);
  });
});

describe('how machines join and change their keys', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  it('gives exactly one client for a one-use token, to a hundred at once', async () => {
    const { body } = await env.post('/api/enrolment-tokens', { groups: ['new'], uses: 1 }).expect(201);
    const { token } = body as { token: string };
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, n) => request(env.url).post('/api/enrol').send({ token, name: `machine-${n}`, platform: 'linux' })),
    );
    expect(answers.map((answer) => answer.status).sort().slice(0, 2)).toEqual([201, 401]);
    expect(await env.sql('SELECT 1 FROM clients')).toHaveLength(1);
    const { clientKey, name } = answers.find((answer) => answer.status === 201)?.body as { clientKey: string; name: string };
    const agent = await env.connect({ id: name, clientKey });
    agent.disconnect();
    await request(env.url).post('/api/enrol').send({ token, name: 'late', platform: 'linux' }).expect(401);
  });

  it('refuses a token that is revoked, expired or of a disabled creator', async () => {
    await env.post('/api/enrolment-tokens', { expiresAt: '2001-01-01T00:00:00Z' }).expect(400);
    const { body } = await env.post('/api/enrolment-tokens', { uses: 5 }).expect(201);
    const { id, token } = body as { id: string; token: string };
    await request(env.url).delete(`/api/enrolment-tokens/${id}`).set('Authorization', `Bearer ${env.token}`).expect(204);
    await request(env.url).post('/api/enrol').send({ token, name: 'm', platform: 'linux' }).expect(401);
  });

  it('keeps two keys valid during a rotation and closes the stream of a revoked one', async () => {
    const first = await env.client('rotating');
    const stream = await env.connect(first);
    const rotate = async (body: object = {}): Promise<string> =>
      ((await env.post('/api/clients/rotating/rotate-key', body).expect(200)).body as { clientKey: string }).clientKey;
    const works = async (key: string): Promise<number> =>
      (await request(env.url).post('/api/agents/session').set('Authorization', `Bearer ${key}`).send({ version: '1', platform: 'x', actions: [], inFlight: [] })).status;
    const second = await rotate();
    expect([await works(first.clientKey), await works(second)]).toEqual([200, 200]);
    expect(stream.closed).toBe(false);
    const third = await rotate();
    expect([await works(first.clientKey), await works(second), await works(third)]).toEqual([401, 200, 200]);
    await eventually(() => expect(stream.closed).toBe(true));

    const { body } = await env.get('/api/clients/rotating/keys').expect(200);
    const [newest] = (body as { items: { id: string }[] }).items;
    await request(env.url).delete(`/api/clients/rotating/keys/${newest?.id}`).set('Authorization', `Bearer ${env.token}`).expect(204);
    expect([await works(second), await works(third)]).toEqual([200, 401]);
    const last = await rotate({ overlapSeconds: 0 });
    expect([await works(second), await works(last)]).toEqual([401, 200]);
  });
});
