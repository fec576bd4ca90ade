import type { Permission } from '@gwanje/contracts';
import fc from 'fast-check';
import { generateSync } from 'otplib';
import request from 'supertest';
import type { Explanation } from '../src/rbac/explainer';
import { TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';
const CLIENTS = ['a', 'b'];
const ROLES = ['r0', 'r1'];
const WHO = 'kim@example.com';
interface Problem {
  code: string;
  detail: string;
  errors?: { path: string; message: string }[];
}

describe('the explanation of rights', () => {
  let env: TestEnvironment;
  let token: string;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    for (const name of CLIENTS) await env.client(name, { groups: name === 'b' ? ['shop'] : [] });
    for (const name of ROLES) await env.post('/api/roles', { name, permissions: [] }).expect(201);
    token = await person('kim');
  });
  afterAll(() => env.destroy());

  const person = async (name: string, settings: object = {}): Promise<string> => {
    const account = { email: `${name}@example.com`, password: PASSWORD };
    await env.post('/api/users', { ...account, name, ...settings }).expect(201);
    return ((await request(env.url).post('/api/auth/login').send(account).expect(200)).body as { accessToken: string }).accessToken;
  };
  const admin = (method: 'put' | 'patch', path: string, body: object): request.Test =>
    request(env.url)[method](path).set('Authorization', `Bearer ${env.token}`).send(body).expect(200);
  const as = (bearer: string, method: 'get' | 'post', path: string, body?: object): request.Test =>
    request(env.url)[method](path).set('Authorization', `Bearer ${bearer}`).send(body);
  const ask = (query: Record<string, string>): request.Test => env.get(`/api/permissions/explain?${new URLSearchParams(query).toString()}`);
  const explain = async (query: Record<string, string>): Promise<Explanation> => (await ask(query).expect(200)).body as Explanation;

  const limits = fc.record({ copies: fc.constantFrom({ maximum: 1 }, { maximum: 10 }), printer: fc.constant({ enum: ['office'] }) }, { requiredKeys: [] });
  const grant = fc.record({
    who: fc.oneof(fc.constantFrom(...ROLES).map((role) => ({ role })), fc.constant({ user: WHO })),
    actions: fc.subarray(['print', 'noop', '*'], { minLength: 1 }),
    limits,
  }).map(({ who, actions, limits: print }) => ({ ...who, actions, limits: actions.join() !== 'noop' && Object.keys(print).length > 0 ? { print } : {} }));
  const setUp = fc.record({
    roles: fc.tuple(...ROLES.map(() => fc.record({
      permissions: fc.constantFrom<Permission[]>(['commands.create'], ['commands.create', 'clients.read'], ['clients.read']),
      scope: fc.constantFrom('all', 'granted', 'granted'),
      requiresSecondFactor: fc.constantFrom(true, false, false, false),
    }))),
    held: fc.subarray(ROLES, { minLength: 1 }),
    scope: fc.constantFrom('all', 'granted'),
    grants: fc.tuple(fc.array(grant, { maxLength: 2 }), fc.array(grant, { maxLength: 2 })),
  });
  const print = fc.record({ copies: fc.constantFrom(1, 5, 50), printer: fc.constantFrom('office', 'home') }, { requiredKeys: [] });
  const order = fc.record({ client: fc.constantFrom(...CLIENTS), payload: fc.oneof(print.map((one) => ({ filePath: '/a.pdf', ...one })), fc.constant(null)) })
    .map(({ client, payload }) => ({ client, action: payload ? 'print' : 'noop', payload: payload ?? {} }));

  it('says allowed exactly when the order is taken, and names what the refusal names', async () => {
    const seen = { taken: 0, permission: 0, factor: 0, place: 0, limit: 0 };
    await fc.assert(
      fc.asyncProperty(setUp, fc.array(order, { minLength: 3, maxLength: 6 }), async (start, orders) => {
        for (const [n, role] of start.roles.entries()) await admin('patch', `/api/roles/${ROLES[n]}`, role);
        await admin('put', '/api/clients/a/permissions', { items: start.grants[0] });
        await admin('put', '/api/groups/shop/permissions', { items: start.grants[1] });
        await admin('put', `/api/users/${WHO}/roles`, { roles: start.held });
        await admin('patch', `/api/users/${WHO}`, { scope: start.scope });
        for (const { client, action, payload } of orders) {
          const { allowed, reasons } = await explain({ user: WHO, client, action, payload: JSON.stringify(payload) });
          const { status, body } = await as(token, 'post', '/api/commands', { clientId: client, action, payload });
          const why = reasons.join('\n');
          expect([allowed, why]).toEqual([status === 201, why]);
          const { detail = '', errors = [] } = body as Problem;
          if (status === 201) seen.taken++;
          else if (detail.startsWith('You need the permission')) {
            expect(why).toMatch(/the permission commands\.create|second factor/);
            seen[why.includes('second factor') ? 'factor' : 'permission']++;
          } else if (status === 400 || detail.startsWith('No grant')) {
            expect(why).toContain(`No grant on ${client}`);
            seen.place++;
          } else {
            expect([status, errors.length > 0]).toEqual([403, true]);
            for (const { path, message } of errors) expect(why).toContain(`${path}: ${message}`);
            seen.limit++;
          }
        }
      }),
      { numRuns: 40 },
    );
    // Every kind of answer came, or the property would have compared nothing.
    expect(Object.entries(seen).filter(([, times]) => times === 0)).toEqual([]);
  }, 120_000);

  it('names the limit of the grant that refuses, and the grant', async () => {
    await person('lee', { roles: ['operator'], scope: 'granted' });
    const { body } = await admin('put', '/api/clients/a/permissions', {
      items: [{ user: 'lee@example.com', actions: ['print'], limits: { print: { copies: { maximum: 10 } } } }, { role: 'operator', actions: ['print'], limits: { print: { printer: { enum: ['office'] } } } }],
    });
    const [own, ofRole] = (body as { items: { id: string }[] }).items.map(({ id }) => id);
    const asked = { user: 'lee@example.com', client: 'a', action: 'print' };
    expect(await explain(asked)).toMatchObject({ allowed: true, reasons: [expect.any(String), expect.stringContaining('within limits')] });
    expect(await explain({ ...asked, payload: '{"copies":5}' })).toMatchObject({ allowed: true });
    const refused = await explain({ ...asked, payload: '{"copies":11,"printer":"home"}' });
    expect(refused).toMatchObject({
      allowed: false,
      reasons: [expect.stringContaining(`${own}, of the person on the client, refuses payload.copies`), expect.stringContaining(`${ofRole}, of the role operator on the client, refuses payload.printer`), expect.any(String)],
      grants: [{ grantId: own, role: null, faults: [{ path: 'payload.copies' }] }, { grantId: ofRole, role: 'operator', faults: [{ path: 'payload.printer' }] }],
    });
  });

  it('answers for permissions of every kind as the routes do', async () => {
    await env.post('/api/roles', { name: 'keeper', permissions: ['clients.manage', 'clients.read', 'grants.manage'], scope: 'granted' }).expect(201);
    const keeper = await person('keeper', { roles: ['keeper'] });
    await admin('put', '/api/clients/a/permissions', { items: [{ user: 'keeper@example.com', actions: ['noop'] }] });
    const calls: [permission: Permission, client: string, call: (client: string) => request.Test][] = CLIENTS.flatMap((client) => [
      ['clients.manage', client, (name) => as(keeper, 'post', `/api/clients/${name}/rotate-key`)],
      ['clients.read', client, (name) => as(keeper, 'get', `/api/clients/${name}`)],
      ['grants.manage', client, (name) => as(keeper, 'get', `/api/clients/${name}/permissions`)],
      ['users.manage', client, () => as(keeper, 'get', '/api/users')],
    ]);
    const answers: [Permission, string, boolean][] = [];
    for (const [permission, client, call] of calls) {
      const { allowed, reasons } = await explain({ user: 'keeper@example.com', client, permission });
      expect([permission, client, reasons, allowed]).toEqual([permission, client, reasons, (await call(client)).status === 200]);
      answers.push([permission, client, allowed]);
    }
    expect(answers.filter(([, , allowed]) => allowed)).toEqual([['clients.manage', 'a', true], ['clients.read', 'a', true], ['grants.manage', 'a', true]]);
    expect(await explain({ user: 'admin@example.com', client: 'b', permission: 'users.manage' })).toMatchObject({ allowed: true });
    expect(await explain({ user: 'admin@example.com', client: 'b', permission: 'commands.cancel' })).toMatchObject({ allowed: true, user: { everywhere: true } });
    expect(await explain({ user: 'lee@example.com', client: 'b', permission: 'commands.cancel' })).toMatchObject({ allowed: false });
  });

  it('tells of sessions that have not proven the second factor', async () => {
    const park = await person('park', { roles: ['operator'] });
    const { secret } = (await as(park, 'post', '/api/auth/second-factor').expect(201)).body as { secret: string };
    await as(park, 'post', '/api/auth/second-factor/confirm', { otp: generateSync({ secret }) }).expect(200);
    const asked = { user: 'park@example.com', client: 'a', action: 'noop' };
    expect(await explain(asked)).toMatchObject({ allowed: true, user: { secondFactor: { enabled: true, satisfied: true, unprovenSessions: 0 } } });
    // As an OpenID provider opens it.
    await env.sql(`UPDATE sessions s SET second_factor = false FROM users u WHERE u.id = s.user_id AND u.email = 'park@example.com'`);
    await as(park, 'post', '/api/commands', { clientId: 'a', action: 'noop', payload: {} }).expect(403);
    const { reasons, user } = await explain(asked);
    expect([user.secondFactor?.unprovenSessions, reasons.at(-1)]).toEqual([1, expect.stringContaining('not proven the second factor')]);
  });

  it('refuses a question that is none, and names the fault', async () => {
    const asked = { user: WHO, client: 'a' };
    const faulty: [query: Record<string, string>, path: string][] = [
      [asked, 'action'],
      [{ ...asked, permission: 'commands.create' }, 'action'],
      [{ ...asked, permission: 'clients.eat' }, 'permission'],
      [{ ...asked, permission: 'clients.manage', action: 'noop' }, 'action'],
      [{ ...asked, permission: 'commands.cancel', payload: '{}' }, 'payload'],
      ...['{', '[]', 'null', '5', '"x"', ''].map((payload): [Record<string, string>, string] => [{ ...asked, action: 'noop', payload }, 'payload']),
      [{ ...asked, action: 'noop', payload: `{"x":"${'x'.repeat(10_000)}"}` }, 'payload'],
    ];
    for (const [query, path] of faulty) {
      const { status, body } = await ask(query);
      expect([query, status, (body as Problem).errors?.[0]?.path]).toEqual([query, 400, path]);
    }
    await ask({ ...asked, client: 'nowhere', action: 'noop' }).expect(404);
  });
});
