import type { AuditExport, AuditItem } from '@gwanje/contracts';
import request from 'supertest';
import { ExportClerk } from '../src/audit/exports/export-clerk';
import { AuditDesk } from './support/audit';
import { eventually, TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';

/** What somebody sees of the record whose rights hold for some clients and some actions, in lists and in exports alike. */
describe('the reach of the audit log', () => {
  let env: TestEnvironment;
  let desk: AuditDesk;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    desk = new AuditDesk(env);
  });
  afterAll(() => env.destroy());

  const as = (token: string, method: 'get' | 'post' | 'put', path: string, body: object = {}): request.Test => {
    const call = request(env.url)[method](path).set('Authorization', `Bearer ${token}`);
    return method === 'get' ? call : call.send(body);
  };
  const logIn = async (email: string): Promise<string> => {
    const { body } = await request(env.url).post('/api/auth/login').send({ email, password: PASSWORD }).expect(200);
    return (body as { accessToken: string }).accessToken;
  };
  const auditor = async (name: string, settings: object = { scope: 'granted' }): Promise<string> => {
    await env.post('/api/users', { email: `${name}@example.com`, name, password: PASSWORD, roles: ['auditor'], ...settings }).expect(201);
    return logIn(`${name}@example.com`);
  };
  const grant = (client: string, ...items: object[]): Promise<unknown> => as(env.token, 'put', `/api/clients/${client}/permissions`, { items }).expect(200);
  const aboutClients = (items: AuditItem[]): string[] => items.filter(({ clientId }) => clientId !== null).map(({ action, target }) => `${action} ${target.id}`).sort();
  const exported = async (token: string): Promise<string[]> => {
    const { bytes } = await desk.export('ndjson', undefined, token);
    const lines = bytes.toString().trim().split('\n').map((line) => JSON.parse(line) as { type: string; row: AuditItem });
    return aboutClients(lines.filter(({ type }) => type === 'row').map(({ row }) => row));
  };

  it('shows of the commands of a client only those whose action is in reach, and all else about the client', async () => {
    const { id } = await env.client('till-1');
    await env.client('till-2');
    const [noop, info] = [await env.command('till-1'), await env.command('till-1', { action: 'system_info' })];
    await env.command('till-2');
    const token = await auditor('confined');
    await grant('till-1', { user: 'confined@example.com', actions: ['noop', 'print'] });
    const seen = [`clients.create ${id}`, `commands.create ${noop}`, `grants.set ${id}`].sort();
    expect(aboutClients(await desk.list('', token))).toEqual(seen);
    expect(await desk.list(`target=${info}`, token)).toEqual([]);
    expect(await exported(token)).toEqual(seen);

    const every = await auditor('every');
    await grant('till-1', { user: 'confined@example.com', actions: ['noop', 'print'] }, { user: 'every@example.com', actions: ['*'] });
    expect((await desk.list(`target=${info}`, every)).map(({ action }) => action)).toEqual(['commands.create']);
    // A command that is not kept any more has no action that could be looked at.
    await env.sql('DELETE FROM commands WHERE id = ANY($1)', [[noop, info]]);
    expect(await desk.list(`target=${noop}`, token)).toEqual([]);
    expect(await desk.list(`target=${info}`, every)).toHaveLength(1);
  });

  const order = async (token: string): Promise<string> => ((await as(token, 'post', '/api/audit/exports', { format: 'ndjson' }).expect(202)).body as { id: string }).id;
  const state = async (token: string, id: string): Promise<AuditExport> => (await as(token, 'get', `/api/audit/exports/${id}`).expect(200)).body as AuditExport;
  const codeOf = (answer: request.Response): string => (answer.body as { code: string }).code;

  it.each([
    ['a role is taken', async (name: string) => void (await as(env.token, 'put', `/api/users/${name}@example.com/roles`, { roles: ['auditor', 'viewer'] }).expect(200))],
    ['a grant is changed', (name: string) => grant(name, { user: `${name}@example.com`, actions: ['print'] })],
    ['a role’s grant is changed', (name: string) => grant(name, { role: 'auditor', actions: ['print'] })],
    ['a client leaves a group', async (name: string) => void (await request(env.url).patch(`/api/clients/${name}-2`).set('Authorization', `Bearer ${env.token}`).send({ groups: [] }).expect(200))],
    ['a client is removed', async (name: string) => void (await request(env.url).delete(`/api/clients/${name}`).set('Authorization', `Bearer ${env.token}`).expect(204))],
  ])('gives no finished export to somebody of whom %s since', async (what, change) => {
    const name = `export-${what.replaceAll(/\W/g, '')}`;
    await env.client(name);
    await env.client(`${name}-2`, { groups: [name] });
    const token = await auditor(name);
    await grant(name, { user: `${name}@example.com`, actions: ['*'] });
    await as(env.token, 'put', `/api/clients/${name}-2/permissions`, { items: [{ user: `${name}@example.com`, group: name, actions: ['*'] }] }).expect(200);
    const id = await order(token);
    await eventually(async () => expect((await state(token, id)).status).toBe('completed'));
    await as(token, 'get', `/api/audit/exports/${id}/download`).expect(200);
    await change(name);
    expect(codeOf(await as(token, 'get', `/api/audit/exports/${id}/download`).expect(409))).toBe('export_rights_changed');
    expect(await desk.list(`target=${id}&action=audit.download&outcome=refused`)).toHaveLength(1);
    const again = await order(token);
    await eventually(async () => expect((await state(token, again)).status).toBe('completed'));
    await as(token, 'get', `/api/audit/exports/${again}/download`).expect(200);
  });

  it('makes no export for somebody whose rights changed after the order, and leaves none that was begun', async () => {
    const token = await auditor('waiting', {});
    const waiting = async (status: string): Promise<string> => {
      const [row] = await env.sql<{ id: string }>(
        `INSERT INTO audit_exports (id, created_by, everywhere, rights_version, format, status, attempt, heartbeat_at)
         SELECT gen_random_uuid(), id, '{audit.read}', rights_version - 1, 'ndjson', $1, 1, now() - interval '10 min' FROM users WHERE name = 'waiting' RETURNING id`,
        [status],
      );
      return row?.id ?? '';
    };
    for (const id of [await waiting('queued'), await waiting('running')]) {
      await env.app.get(ExportClerk).carryOut(id);
      expect(await state(token, id)).toMatchObject({ status: 'failed', errorMessage: expect.stringContaining('order it again') as string });
      expect(codeOf(await as(token, 'get', `/api/audit/exports/${id}/download`).expect(409))).toBe('export_rights_changed');
    }
  });

  it('gives a complete export to no token of the same person that does not see everything', async () => {
    const token = await auditor('whole', {});
    const id = await order(token);
    await eventually(async () => expect((await state(token, id)).status).toBe('completed'));
    const { body } = await as(token, 'post', '/api/auth/tokens', { name: 'exports only', permissions: ['audit.export'] }).expect(201);
    const part = (body as { token: string }).token;
    expect(codeOf(await as(part, 'get', `/api/audit/exports/${id}/download`).expect(409))).toBe('export_rights_changed');
    await as(token, 'get', `/api/audit/exports/${id}/download`).expect(200);
  });

  it('records what an agent says of itself when that changed, and nothing when it comes back the same', async () => {
    const { id, clientKey } = await env.client('described');
    const describe = (said: object): request.Test => as(clientKey, 'post', '/api/agents/session', { platform: 'linux', inFlight: [], ...said }).expect(200);
    const rows = async (): Promise<AuditItem[]> => desk.list(`target=${id}&action=clients.describe`);
    const one = { version: '1.0.0', actions: [{ name: 'print' }, { name: 'noop', schema: { type: 'object', properties: {} } }] };
    await describe(one);
    expect(await rows()).toMatchObject([{ actor: { type: 'agent', id }, clientId: id, before: null, after: { version: '1.0.0', platform: 'linux' } }]);
    await describe(one);
    await describe({ ...one, actions: [...one.actions].reverse() });
    expect(await rows()).toHaveLength(1);
    await describe({ ...one, version: '1.1.0' });
    await describe({ ...one, version: '1.1.0', actions: [{ name: 'print' }] });
    const [narrowed, updated] = await rows();
    expect(updated).toMatchObject({ before: { version: '1.0.0' }, after: { version: '1.1.0' } });
    expect(narrowed).toMatchObject({ before: { actions: [{ name: 'noop' }, { name: 'print' }] }, after: { actions: [{ name: 'print' }] } });
    expect((await env.get('/api/clients/described').expect(200)).body).toMatchObject({ agent: { version: '1.1.0', actions: [{ name: 'print' }] } });
  });

  it('records of each of many agents at once what that one says, and only what changed', async () => {
    const machines = await Promise.all([...Array(12).keys()].map((n) => env.client(`crowd-${n}`)));
    const sayAll = (version: (n: number) => string): Promise<unknown> => {
      const said = (n: number): object => ({ version: version(n), platform: 'linux', actions: [{ name: 'noop' }], inFlight: [] });
      return Promise.all(machines.map(({ clientKey }, n) => as(clientKey, 'post', '/api/agents/session', said(n)).expect(200)));
    };
    await sayAll((n) => `1.0.${n}`);
    await sayAll((n) => `${n % 2}.0.${n}`);
    for (const [n, { id }] of machines.entries()) {
      const versions = (await desk.list(`target=${id}&action=clients.describe`)).map(({ actor, clientId, before, after }) => [actor.id, clientId, before, after]);
      const first = [id, id, null, expect.objectContaining({ version: `1.0.${n}` })];
      const second = [id, id, expect.objectContaining({ version: `1.0.${n}` }), expect.objectContaining({ version: `0.0.${n}` })];
      expect(versions).toEqual(n % 2 === 1 ? [first] : [second, first]);
    }
  });
});
