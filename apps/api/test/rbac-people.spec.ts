import { PERMISSIONS } from '@gwanje/contracts';
import request from 'supertest';
import { ACCESS_TABLE } from './support/access-table';
import { TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';
type Method = 'get' | 'put' | 'patch' | 'post' | 'delete';
type Call = [method: Method, path: string, body?: object];

/** Every call that changes an account, by the name of its route. */
const accountCalls = (id: string): Record<string, Call[]> => ({
  'PATCH /api/users/{id}': [
    { name: 'x' }, { email: 'x@example.com' }, { password: PASSWORD }, { disabled: true }, { disabled: false }, { scope: 'granted' },
  ].map((body): Call => ['patch', `/api/users/${id}`, body]),
  'PUT /api/users/{id}/roles': [['put', `/api/users/${id}/roles`, { roles: [] }], ['put', `/api/users/${id}/roles`, { roles: ['viewer'] }]],
  'DELETE /api/users/{id}/second-factor': [['delete', `/api/users/${id}/second-factor`]],
  'DELETE /api/users/{id}/sessions': [['delete', `/api/users/${id}/sessions`]],
  'DELETE /api/users/{id}/tokens/{tokenId}': [['delete', `/api/users/${id}/tokens/${id}`]],
  'POST /api/users/{id}/reset-password': [['post', `/api/users/${id}/reset-password`]],
  'DELETE /api/users/{id}': [['delete', `/api/users/${id}`]],
});

describe('whoever changes somebody', () => {
  let env: TestEnvironment;
  const tokens: Record<string, string> = {};
  const ids: Record<string, string> = {};
  beforeAll(async () => {
    env = await TestEnvironment.create();
    for (const name of ['till-1', 'till-2']) await env.client(name, { groups: ['shop', 'cellar'] });
    const managing = ['users.manage', 'roles.manage', 'grants.manage', 'clients.manage', 'commands.read', 'clients.read'];
    await env.post('/api/roles', { name: 'clerk', permissions: managing }).expect(201);
    await env.post('/api/roles', { name: 'branch', permissions: [...managing, 'commands.create'], scope: 'granted' }).expect(201);
    await env.post('/api/roles', { name: 'worker', permissions: ['commands.create', 'commands.read', 'clients.read'] }).expect(201);
    await user('clerk', ['clerk']);
    await user('strong', ['worker']);
    await user('branch', ['branch']);
    await user('near', ['branch']);
    await user('far', ['branch']);
    await user('limited', ['branch']);
    const limits = { print: { copies: { maximum: 10 } } };
    await as('admin', 'put', '/api/clients/till-1/permissions', {
      items: [
        ...['branch', 'near', 'far'].map((name) => ({ user: `${name}@example.com`, actions: ['print'] })),
        { user: 'limited@example.com', actions: ['print'], limits },
      ],
    }).expect(200);
    await as('admin', 'put', '/api/clients/till-2/permissions', { items: [{ user: 'far@example.com', actions: ['print'] }] }).expect(200);
  });
  afterAll(() => env.destroy());

  const as = (who: string, method: Method, path: string, body?: object): request.Test =>
    request(env.url)[method](path).set('Authorization', `Bearer ${who === 'admin' ? env.token : (tokens[who] ?? '')}`).send(body);
  const user = async (name: string, roles: string[]): Promise<void> => {
    const email = `${name}@example.com`;
    ids[name] = ((await env.post('/api/users', { email, name, password: PASSWORD, roles }).expect(201)).body as { id: string }).id;
    tokens[name] = ((await request(env.url).post('/api/auth/login').send({ email, password: PASSWORD }).expect(200)).body as { accessToken: string }).accessToken;
  };
  /** All that somebody is and holds, and whether they are logged in. */
  const standing = async (): Promise<unknown> => ({
    users: await env.sql('SELECT * FROM users ORDER BY id'),
    roles: await env.sql('SELECT * FROM roles ORDER BY id'),
    held: await env.sql('SELECT * FROM user_roles ORDER BY 1, 2'),
    grants: await env.sql('SELECT * FROM client_permissions ORDER BY id'),
    sessions: await env.sql('SELECT id, revoked_at FROM sessions ORDER BY id'),
    groups: await env.sql('SELECT id, groups FROM clients ORDER BY id'),
  });
  async function expectRefused(who: string, calls: Call[]): Promise<void> {
    const before = await standing();
    for (const [method, path, body] of calls) {
      const { status, body: answer } = await as(who, method, path, body);
      expect([method, path, body, status, (answer as { code: string }).code]).toEqual([method, path, body, 403, 'forbidden']);
    }
    expect(await standing()).toEqual(before);
  }
  const idOf = (name: string): string => ids[name] ?? '';
  const allCalls = (name: string): Call[] => Object.values(accountCalls(idOf(name))).flat();

  it('is held to this list of routes', () => {
    const changing = Object.keys(ACCESS_TABLE).filter((route) => /^(PATCH|PUT|POST|DELETE) \/api\/users\/\{id\}/.test(route));
    expect(changing.sort()).toEqual(Object.keys(accountCalls('x')).sort());
  });

  it('touches no account of a person who holds a permission that they lack', () => expectRefused('clerk', allCalls('strong')));
  it('touches no account of a person who reaches further', () => expectRefused('branch', allCalls('far')));
  it('touches no account of a person who is allowed more of a parameter', () => expectRefused('limited', allCalls('near')));

  it('takes nobody any right that they lack, by a role, a grant or a group', async () => {
    await expectRefused('clerk', [
      ['patch', '/api/roles/worker', { permissions: ['commands.read'] }],
      ['patch', '/api/roles/worker', { scope: 'granted' }],
      ['patch', '/api/roles/worker', { requiresSecondFactor: true }],
      ['delete', '/api/roles/worker'],
      // To be named in a grant is to be confined to grants.
      ['put', '/api/groups/shop/permissions', { items: [{ user: 'strong@example.com', actions: ['*'] }] }],
      ['put', '/api/clients/till-1/permissions', { items: [] }],
    ]);
    await as('admin', 'put', '/api/groups/cellar/permissions', { items: [{ role: 'branch', actions: ['shell'] }] }).expect(200);
    await expectRefused('clerk', [
      ['patch', '/api/clients/till-1', { groups: ['shop'] }],
      // And gives nobody what they lack, by a new machine.
      ['post', '/api/clients', { name: 'new', groups: ['cellar'] }],
      ['post', '/api/enrolment-tokens', { groups: ['shop', 'cellar'] }],
    ]);
    await as('clerk', 'post', '/api/clients', { name: 'new', groups: ['shop'] }).expect(201);
    await as('clerk', 'post', '/api/enrolment-tokens', { groups: ['shop'] }).expect(201);
    await as('admin', 'put', '/api/groups/cellar/permissions', { items: [] }).expect(200);
  });

  it('needs all of it in the session or token at hand, for their own account, too', async () => {
    const permissions = ['users.manage'];
    const { body } = await env.post('/api/auth/tokens', { name: 'narrow', permissions }).expect(201);
    tokens['narrow'] = (body as { token: string }).token;
    const [admin] = await env.sql<{ id: string }>(`SELECT id FROM users WHERE email = 'admin@example.com'`);
    await expectRefused('narrow', Object.values(accountCalls(admin?.id ?? '')).flat());
    expect(PERMISSIONS.length).toBeGreaterThan(permissions.length);
  });

  it('may do all of it to a person who holds no more than they do', async () => {
    for (const [method, path, body] of allCalls('near')) {
      const { status } = await as('branch', method, path, body);
      // There is no second factor to reset, and no such token.
      const answer = path.endsWith('second-factor') ? 409 : path.includes('/tokens/') ? 404 : method === 'delete' ? 204 : 200;
      expect([method, path, body, status]).toEqual([method, path, body, answer]);
    }
    await as('clerk', 'post', '/api/users', { email: 'new@example.com', name: 'new', roles: ['viewer'] }).expect(201);
    await as('clerk', 'put', '/api/users/new@example.com/roles', { roles: [] }).expect(200);
    await as('clerk', 'delete', '/api/users/new@example.com').expect(204);
  });

  it('sees where somebody is logged in and by which tokens, and ends both, with a record of it', async () => {
    await user('visited', ['viewer']);
    const script = (await as('visited', 'post', '/api/auth/tokens', { name: 'nightly', permissions: ['commands.read'] }).expect(201)).body as { id: string; token: string };
    tokens['nightly'] = script.token;
    const path = `/api/users/${idOf('visited')}`;
    expect((await as('clerk', 'get', `${path}/tokens`).expect(200)).body).toMatchObject({ items: [{ id: script.id, name: 'nightly', permissions: ['commands.read'] }] });
    expect((await as('clerk', 'get', `${path}/sessions`).expect(200)).body).toMatchObject({ items: [{ address: '127.0.0.1', current: false }] });
    await as('visited', 'get', `${path}/sessions`).expect(403);
    // A token is somebody's own: by another person's address it does not exist.
    await as('clerk', 'delete', `/api/users/${idOf('clerk')}/tokens/${script.id}`).expect(404);
    await as('nightly', 'get', '/api/auth/me').expect(200);

    await as('clerk', 'delete', `${path}/tokens/${script.id}`).expect(204);
    await as('nightly', 'get', '/api/auth/me').expect(401);
    await as('clerk', 'delete', `${path}/tokens/${script.id}`).expect(404);
    await as('visited', 'get', '/api/auth/me').expect(200);
    await as('clerk', 'delete', `${path}/sessions`).expect(204);
    await as('visited', 'get', '/api/auth/me').expect(401);
    expect((await as('clerk', 'get', path).expect(200)).body).toMatchObject({ secondFactor: false });
    const rows = await env.sql<object>(`SELECT action, actor_id, detail FROM audit_log WHERE target_id = $1 AND action ~ '^users.(end|revoke)' ORDER BY id`, [idOf('visited')]);
    expect(rows).toMatchObject([
      { action: 'users.revoke_token', actor_id: idOf('clerk'), detail: { tokenId: script.id } },
      { action: 'users.end_sessions', actor_id: idOf('clerk') },
    ]);
  });

  it('leaves the last admin where they are', async () => {
    await as('admin', 'put', '/api/users/admin@example.com/roles', { roles: [] }).expect(409);
    await as('admin', 'patch', '/api/users/admin@example.com', { disabled: true }).expect(409);
    await as('admin', 'delete', '/api/users/admin@example.com').expect(409);
  });
});
