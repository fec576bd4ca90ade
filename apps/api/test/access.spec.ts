import { BUILT_IN_ROLES, type Permission, PERMISSIONS, SCOPED_PERMISSIONS } from '@gwanje/contracts';
import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { ACCESS_TABLE, type AccessRule, type Thing } from './support/access-table';
import { eventually, TestEnvironment } from './support/environment';

type Whose = 'own' | 'foreign';
interface Caller {
  name: string;
  token: string | null;
  permissions: readonly Permission[];
  /** Whether the permissions hold for every client; else on the client `own` only. */
  everywhere: boolean;
}
const PASSWORD = 'violet kettle drum';
/** What a confined person may see as their own, and what belongs to one person alone. */
const CONFINED: readonly Thing[] = ['client', 'command', 'batch', 'key', 'artifact', 'group', 'entry'];
const PERSONAL: readonly Thing[] = ['session', 'token', 'export'];

/** Every route × every kind of caller × the caller's own and somebody else's thing, held against one table. */
describe('who may call what', () => {
  let env: TestEnvironment;
  const callers: Caller[] = [];
  const clients = {} as Record<Whose, { id: string; clientKey: string }>;
  let stranger: string;

  beforeAll(async () => {
    env = await TestEnvironment.create();
    clients.own = await env.client('own', { groups: ['own-group'] });
    clients.foreign = await env.client('foreign', { groups: ['foreign-group'] });
    await env.post('/api/roles', { name: 'branch', permissions: PERMISSIONS, scope: 'granted' }).expect(201);
    await put('/api/groups/own-group/permissions', { items: [{ role: 'branch', actions: ['*'] }] });
    for (const role of Object.keys(BUILT_IN_ROLES) as (keyof typeof BUILT_IN_ROLES)[]) {
      callers.push({ name: role, token: await person(role, [role]), permissions: BUILT_IN_ROLES[role], everywhere: true });
    }
    callers.push({ name: 'nobody', token: await person('nobody', []), permissions: [], everywhere: true });
    callers.push({ name: 'confined', token: await person('confined', ['branch']), permissions: PERMISSIONS, everywhere: false });
    stranger = await person('stranger', ['admin']);
  });
  afterAll(() => env.destroy());

  const put = (path: string, body: object): request.Test => request(env.url).put(path).set('Authorization', `Bearer ${env.token}`).send(body).expect(200);
  const logIn = async (email: string): Promise<string> =>
    ((await request(env.url).post('/api/auth/login').send({ email, password: PASSWORD }).expect(200)).body as { accessToken: string }).accessToken;
  const person = async (name: string, roles: string[]): Promise<string> => {
    await env.post('/api/users', { email: `${name}@people.example.com`, name, password: PASSWORD, roles }).expect(201);
    return logIn(`${name}@people.example.com`);
  };
  const created = async (call: request.Test): Promise<Record<string, string>> => (await call).body as Record<string, string>;

  /** Of them only so many may be there at the same time. */
  async function channel(): Promise<string> {
    await env.sql('DELETE FROM alert_channels');
    return (await created(env.post('/api/alerts/channels', { name: randomUUID(), kind: 'webhook', url: 'https://hooks.example.invalid/x' })))['id'] ?? '';
  }

  /** Makes one thing, and answers what fills the address. */
  async function make(thing: Thing, whose: Whose, caller: Caller): Promise<Record<string, string>> {
    const client = clients[whose];
    const owner = whose === 'own' ? (caller.token ?? stranger) : stranger;
    const asOwner = (method: 'get' | 'post', path: string, body?: object): request.Test =>
      request(env.url)[method](path).set('Authorization', `Bearer ${owner}`).send(body);
    switch (thing) {
      case 'client': {
        // Some calls remove it or take its keys: a client of its own, which the confined person reaches by its group.
        const made = await env.client(`client-${randomUUID().slice(0, 8)}x`, { groups: [`${whose}-group`] });
        return { id: made.id, clientId: made.id, client: made.id };
      }
      case 'command':
        return { id: await env.command(client.id) };
      case 'batch':
        return { id: (await created(env.post('/api/commands/batch', { targets: { clientIds: [client.id] }, action: 'noop', payload: {} })))['batchId'] ?? '' };
      case 'key': {
        await env.post(`/api/clients/${client.id}/rotate-key`, {}).expect(200);
        const { body } = await env.get(`/api/clients/${client.id}/keys`).expect(200);
        return { id: client.id, keyId: (body as { items: { id: string }[] }).items.at(-1)?.id ?? '' };
      }
      case 'artifact': {
        const id = await env.command(client.id);
        const upload = request(env.url).post(`/api/commands/${id}/artifacts`).set('Authorization', `Bearer ${await rotated(client.id)}`);
        return { id, artifactId: (await created(upload.set('Content-Type', 'image/png').send(randomUUID())))['id'] ?? '' };
      }
      case 'group': {
        const name = randomUUID();
        await put(`/api/groups/${name}/permissions`, { items: whose === 'own' ? [{ role: 'branch', actions: ['*'] }] : [] });
        return { name };
      }
      case 'user':
        return { id: (await created(env.post('/api/users', { email: `${randomUUID()}@people.example.com`, name: 'x' })))['id'] ?? '' };
      case 'role':
        return { id: (await created(env.post('/api/roles', { name: randomUUID(), permissions: [] })))['id'] ?? '' };
      case 'session': {
        const name = whose === 'own' ? caller.name : 'stranger';
        await logIn(`${name}@people.example.com`);
        const { body } = await asOwner('get', '/api/auth/sessions').expect(200);
        return { id: (body as { items: { id: string; current: boolean }[] }).items.find((item) => !item.current)?.id ?? '' };
      }
      case 'token':
        return { id: (await created(asOwner('post', '/api/auth/tokens', { name: 'x' })))['id'] ?? '' };
      case 'enrolment':
        return { id: (await created(env.post('/api/enrolment-tokens')))['id'] ?? '' };
      case 'entry': {
        const { body } = await env.get(`/api/audit?target=${client.id}&action=clients.create`).expect(200);
        return { id: (body as { items: { id: string }[] }).items[0]?.id ?? '' };
      }
      case 'rule':
        return { id: (await created(env.post('/api/alerts/rules', { name: randomUUID(), condition: { kind: 'backlog', over: 1000 }, channels: [] })))['id'] ?? '' };
      case 'channel':
        return { id: await channel() };
      case 'delivery':
        return { id: (await created(env.post(`/api/alerts/channels/${await channel()}/test`)))['deliveryId'] ?? '' };
      case 'export':
        return { id: (await created(asOwner('post', '/api/audit/exports', { format: 'csv' })))['id'] ?? randomUUID() };
    }
  }

  /** The status alone: a stream that opens is not read. */
  async function status(route: string, rule: AccessRule, token: string | null, names: Record<string, string>): Promise<number> {
    const [method = '', template = ''] = route.split(' ');
    const subject = { client: names['client'] ?? clients.own.id, user: 'nobody@people.example.com' };
    const path = template.replace(/\{(\w+)\}/g, (_, name: string) => names[name] ?? names['id'] ?? 'unknown') + (rule.query?.(subject) ?? '');
    const aborter = new AbortController();
    const isArtifact = route === 'POST /api/commands/{id}/artifacts';
    const body = isArtifact ? randomUUID() : rule.body && JSON.stringify(rule.body(subject));
    const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...(body && { 'Content-Type': isArtifact ? 'image/png' : 'application/json' }) };
    const answer = await fetch(env.url + path, { method, headers, ...(body && { body }), signal: aborter.signal });
    aborter.abort();
    return answer.status;
  }

  const permissionOf = ({ who }: AccessRule): Permission | null => (PERMISSIONS as readonly string[]).includes(who) ? (who as Permission) : null;
  const passes = (code: number, rule: AccessRule): boolean => (code >= 200 && code < 300) || (rule.answer ?? []).includes(code);
  const whoses = (rule: AccessRule): Whose[] => (rule.thing && [...CONFINED, ...PERSONAL].includes(rule.thing) ? ['own', 'foreign'] : ['own']);

  it('knows every route, and no other', async () => {
    const { body } = await request(env.url).get('/api/docs/openapi.json').expect(200);
    const { paths } = body as { paths: Record<string, object> };
    const routes = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(routes.sort()).toEqual(Object.keys(ACCESS_TABLE).sort());
  });

  it.each(Object.entries(ACCESS_TABLE))('%s', async (route, rule) => {
    const wrong: string[] = [];
    const check = (who: string, code: number, expected: string, right: boolean): void => {
      if (!right) wrong.push(`${who}: ${code}, and not ${expected}`);
    };
    const permission = permissionOf(rule);
    const thing = async (whose: Whose, caller: Caller): Promise<Record<string, string>> => (rule.thing ? make(rule.thing, whose, caller) : {});
    const anonymous: Caller = { name: 'stranger', token: null, permissions: [], everywhere: true };

    const unknown = await status(route, rule, null, await thing('own', anonymous));
    check('anonymous', unknown, rule.who === 'everybody' ? 'a success' : '401', rule.who === 'everybody' ? passes(unknown, rule) : unknown === 401);
    if (rule.who === 'everybody') return expect(wrong).toEqual([]);

    for (const whose of whoses(rule)) {
      const named = await thing(whose, anonymous);
      const { clientKey } = await agentOf(rule.thing, whose, named);
      const code = await status(route, rule, clientKey, named);
      if (rule.who !== 'agents') check('an agent', code, '403', code === 403);
      else check(`the agent, ${whose}`, code, whose === 'own' ? 'a success' : '404', whose === 'own' ? passes(code, rule) : code === 404);
    }
    for (const caller of callers) for (const whose of whoses(rule)) {
      const code = await status(route, rule, caller.token, await thing(whose, caller));
      const who = `${caller.name}, ${whose}`;
      const personal = rule.thing && PERSONAL.includes(rule.thing);
      const isConfined = !caller.everywhere && permission !== null && rule.thing && CONFINED.includes(rule.thing);
      if (rule.who === 'agents' || (permission && !caller.permissions.includes(permission))) check(who, code, '403', code === 403);
      else if (rule.everywhere && !caller.everywhere) check(who, code, '403', code === 403);
      else if (whose === 'foreign' && (personal || isConfined)) check(who, code, String(rule.foreign ?? 404), code === (rule.foreign ?? 404));
      else check(who, code, 'a success', passes(code, rule));
    }
    expect(wrong).toEqual([]);
  });

  /** The key of the client that the thing belongs to, or, for something foreign, of another client. */
  async function agentOf(thing: Thing | undefined, whose: Whose, named: Record<string, string>): Promise<{ clientKey: string }> {
    if (whose === 'foreign') return { clientKey: (await rotated(clients.own.id)) };
    return { clientKey: await rotated(thing === 'client' ? (named['id'] ?? '') : clients.own.id) };
  }
  async function rotated(id: string): Promise<string> {
    let key = '';
    await eventually(async () => {
      key = ((await env.post(`/api/clients/${id}/rotate-key`).expect(200)).body as { clientKey: string }).clientKey;
    });
    return key;
  }

  it('sorts every permission into scoped or not', () => {
    expect(SCOPED_PERMISSIONS.filter((name) => !(PERMISSIONS as readonly string[]).includes(name))).toEqual([]);
  });
});
