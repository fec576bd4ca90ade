import { ANY_ACTION, type ParameterLimits, type Permission, PERMISSIONS, SCOPED_PERMISSIONS } from '@gwanje/contracts';
import fc from 'fast-check';
import request from 'supertest';
import { limitFaults } from '../src/rbac/parameter-limits';
import { TestEnvironment } from './support/environment';

const CLIENTS = ['a', 'b', 'c'];
const ACTIONS = ['print', 'noop'];
const COPIES = [1, 50];
const GROUPS = ['x', 'y'];
const ROLES = ['r0', 'r1', 'r2'];
const USERS = ['u0', 'u1', 'u2', 'u3'];
const GIVEN: Permission[] = ['commands.create', 'clients.read', 'clients.manage', 'grants.manage', 'users.manage', 'roles.manage'];

interface Row {
  email: string;
  permissions: Permission[];
  everywhere: Permission[];
  client: string | null;
  actions: string[] | null;
  limits: ParameterLimits | null;
}
interface Act {
  by: number;
  method: 'put' | 'patch' | 'post';
  path: string;
  body: object;
}

/** Random people change roles, users, grants and groups over HTTP; after each change, what everybody can really do is compared. */
describe('random changes of rights', () => {
  let env: TestEnvironment;
  const tokens: string[] = [];
  beforeAll(async () => {
    env = await TestEnvironment.create();
    for (const name of CLIENTS) await env.client(name);
    for (const name of ROLES) await env.post('/api/roles', { name, permissions: [] }).expect(201);
    for (const name of USERS) {
      const account = { email: `${name}@example.com`, password: 'violet kettle drum' };
      await env.post('/api/users', { ...account, name }).expect(201);
      const { body } = await request(env.url).post('/api/auth/login').send(account).expect(200);
      tokens.push((body as { accessToken: string }).accessToken);
    }
  });
  afterAll(() => env.destroy());

  /** Every single thing that each person may do, told from the tables alone. */
  async function deeds(): Promise<Map<string, Set<string>>> {
    const rows = await env.sql<Row>(
      `SELECT u.email, array_agg(DISTINCT p) AS permissions,
         coalesce(array_agg(DISTINCT p) FILTER (WHERE u.scope = 'all' AND r.scope = 'all'), '{}') AS everywhere, c.name AS client, g.actions, g.limits
       FROM users u JOIN user_roles ur ON ur.user_id = u.id JOIN roles r ON r.id = ur.role_id CROSS JOIN LATERAL unnest(r.permissions) p
       LEFT JOIN client_permissions g ON g.user_id = u.id OR g.role_id IN (SELECT role_id FROM user_roles WHERE user_id = u.id)
       LEFT JOIN clients c ON c.id = g.client_id OR g.group_name = ANY(c.groups)
       WHERE u.disabled_at IS NULL GROUP BY u.id, c.id, g.id`,
    );
    const found = new Map(USERS.map((name) => [`${name}@example.com`, new Set<string>()]));
    const scoped: readonly string[] = SCOPED_PERMISSIONS;
    for (const { email, permissions, everywhere, client, actions, limits } of rows) {
      const mine = found.get(email);
      for (const permission of permissions) {
        if (!scoped.includes(permission)) mine?.add(permission);
        else for (const name of CLIENTS) for (const action of ACTIONS) for (const copies of COPIES) {
          const granted = name === client && actions?.some((one) => one === action || one === ANY_ACTION) && limitFaults(limits ?? {}, action, { copies }).length === 0;
          if (everywhere.includes(permission) || granted) mine?.add(`${permission} ${name} ${action} ${copies}`);
        }
      }
    }
    return found;
  }

  const grants = fc.array(
    fc.record({
      who: fc.oneof(fc.constantFrom(...ROLES).map((role) => ({ role })), fc.constantFrom(...USERS).map((name) => ({ user: `${name}@example.com` }))),
      actions: fc.subarray([...ACTIONS, ANY_ACTION], { minLength: 1 }),
      limited: fc.boolean(),
    }).map(({ who, actions, limited }) => {
      const limits = limited && actions.some((action) => action !== 'noop') ? { print: { copies: { maximum: 10 } } } : {};
      return { ...who, actions, limits };
    }),
    { maxLength: 2 },
  );
  const permissions = fc.subarray(GIVEN);
  const scope = fc.constantFrom('all', 'granted');
  const by = fc.nat({ max: USERS.length - 1 });
  const act: fc.Arbitrary<Act> = fc.oneof(
    fc.record({ by, role: fc.constantFrom(...ROLES), permissions, scope }).map((a): Act => ({ by: a.by, method: 'patch', path: `/api/roles/${a.role}`, body: { permissions: a.permissions, scope: a.scope } })),
    fc.record({ by, user: fc.constantFrom(...USERS), roles: fc.subarray(ROLES) }).map((a): Act => ({ by: a.by, method: 'put', path: `/api/users/${a.user}@example.com/roles`, body: { roles: a.roles } })),
    fc.record({ by, user: fc.constantFrom(...USERS), scope }).map((a): Act => ({ by: a.by, method: 'patch', path: `/api/users/${a.user}@example.com`, body: { scope: a.scope } })),
    fc.record({ by, client: fc.constantFrom(...CLIENTS), items: grants }).map((a): Act => ({ by: a.by, method: 'put', path: `/api/clients/${a.client}/permissions`, body: { items: a.items } })),
    fc.record({ by, group: fc.constantFrom(...GROUPS), items: grants }).map((a): Act => ({ by: a.by, method: 'put', path: `/api/groups/${a.group}/permissions`, body: { items: a.items } })),
    fc.record({ by, client: fc.constantFrom(...CLIENTS), groups: fc.subarray(GROUPS) }).map((a): Act => ({ by: a.by, method: 'patch', path: `/api/clients/${a.client}`, body: { groups: a.groups } })),
  );
  /** What the admin sets up before the random people begin. */
  const start = fc.record({
    roles: fc.tuple(...ROLES.map(() => fc.record({ permissions: fc.subarray(GIVEN, { minLength: 4 }), scope }))),
    users: fc.tuple(...USERS.map(() => fc.record({ roles: fc.subarray(ROLES, { minLength: 1 }), scope }))),
    grants: fc.tuple(...CLIENTS.map(() => grants)),
  });

  it('never let anybody gain or lose what the one who made the change lacked', async () => {
    const admin = (method: Act['method'], path: string, body: object): request.Test =>
      request(env.url)[method](path).set('Authorization', `Bearer ${env.token}`).send(body).expect(200);
    const seen = { done: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(start, fc.array(act, { minLength: 4, maxLength: 12 }), async (setUp, acts) => {
        for (const [n, role] of setUp.roles.entries()) await admin('patch', `/api/roles/${ROLES[n]}`, role);
        for (const group of GROUPS) await admin('put', `/api/groups/${group}/permissions`, { items: [] });
        for (const [n, client] of CLIENTS.entries()) {
          await admin('patch', `/api/clients/${client}`, { groups: n === 1 ? ['x'] : [] });
          await admin('put', `/api/clients/${client}/permissions`, { items: setUp.grants[n] ?? [] });
        }
        for (const [n, { roles, scope: reach }] of setUp.users.entries()) {
          await admin('put', `/api/users/${USERS[n]}@example.com/roles`, { roles });
          await admin('patch', `/api/users/${USERS[n]}@example.com`, { scope: reach });
        }
        let before = await deeds();
        for (const { by: n, method, path, body } of acts) {
          const { status } = await request(env.url)[method](path).set('Authorization', `Bearer ${tokens[n]}`).send(body);
          expect([200, 403, 404]).toContain(status);
          seen[status === 200 ? 'done' : 'refused']++;
          const after = await deeds();
          const giver = before.get(`${USERS[n]}@example.com`);
          for (const [email, now] of after) {
            const was = before.get(email);
            expect([...now].filter((deed) => !was?.has(deed) && !giver?.has(deed)).map((deed) => `${email} gained ${deed}`)).toEqual([]);
            expect([...(was ?? [])].filter((deed) => !now.has(deed) && !giver?.has(deed)).map((deed) => `${email} lost ${deed}`)).toEqual([]);
          }
          before = after;
        }
      }),
      { numRuns: 25 },
    );
    // Both kinds of answers came often, or the property would have compared nothing.
    expect(seen.done).toBeGreaterThan(20);
    expect(seen.refused).toBeGreaterThan(20);
    expect(PERMISSIONS).toEqual(expect.arrayContaining(GIVEN));
  }, 300_000);
});
