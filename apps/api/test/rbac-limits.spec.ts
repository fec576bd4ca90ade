import request from 'supertest';
import { eventually, TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';
/** The placeholder that people are shown for a secret has ten characters, and begins with a bracket. */
const STARTS_WITH_OK = { file_put: { content: { pattern: '^ok' } } };
const SHORT = { file_put: { content: { maxLength: 12 } } };

describe('limits on a parameter that is secret', () => {
  let env: TestEnvironment;
  let token: string;
  beforeAll(async () => {
    env = await TestEnvironment.create();
    await env.post('/api/users', { email: 'lee@example.com', name: 'Lee', password: PASSWORD, roles: ['operator'], scope: 'granted' }).expect(201);
    const { body } = await request(env.url).post('/api/auth/login').send({ email: 'lee@example.com', password: PASSWORD }).expect(200);
    token = (body as { accessToken: string }).accessToken;
  });
  afterAll(() => env.destroy());

  const grant = (client: string, limits: object): request.Test =>
    request(env.url).put(`/api/clients/${client}/permissions`).set('Authorization', `Bearer ${env.token}`)
      .send({ items: [{ user: 'lee@example.com', actions: ['file_put'], limits }] }).expect(200);
  const asLee = (path: string, body: object = {}): request.Test => request(env.url).post(path).set('Authorization', `Bearer ${token}`).send(body);
  const order = (client: string, content: string): object => ({ clientId: client, action: 'file_put', payload: { path: '/tmp/x', content } });
  const idOf = ({ body }: request.Response): string => (body as { id: string }).id;

  it('hold for the real value when it is created, retried or cancelled', async () => {
    const client = await env.client('retried');
    const agent = await env.connect(client);
    await grant('retried', STARTS_WITH_OK);
    await asLee('/api/commands', order('retried', 'not so')).expect(403);
    const [good, bad] = [idOf(await asLee('/api/commands', order('retried', 'ok, and rather long')).expect(201)), await env.command(client.id, order('retried', 'no'))];
    for (const id of [good, bad]) {
      await eventually(async () => expect(await agent.post(`/api/commands/${id}/result`, { success: false })).toBe(200));
      await env.reaches(id, 'failed');
    }
    await asLee(`/api/commands/${good}/retry`).expect(200);
    const refused = await asLee(`/api/commands/${bad}/retry`).expect(403);
    expect((refused.body as { errors: object[] }).errors).toMatchObject([{ path: 'payload.content' }]);
    await asLee(`/api/commands/${bad}/cancel`).expect(403);
    await asLee(`/api/commands/${good}/cancel`).expect(200);

    await grant('retried', SHORT);
    await asLee(`/api/commands/${good}/retry`).expect(403);
    await asLee(`/api/commands/${bad}/retry`).expect(200);
  });

  it('hold for the real value when it waited while they changed', async () => {
    const client = await env.client('waiting');
    await grant('waiting', STARTS_WITH_OK);
    const create = async (content: string): Promise<string> => idOf(await asLee('/api/commands', order('waiting', content)).expect(201));
    const [short, long, kept] = [await create('ok'), await create('ok, but too long'), await create('ok again')];
    await grant('waiting', SHORT);
    expect((await env.reaches(long, 'cancelled'))['errorMessage']).toContain('payload.content');
    await grant('waiting', { file_put: { content: { pattern: '^ok a' } } });
    expect((await env.reaches(short, 'cancelled'))['errorMessage']).toContain('payload.content');
    const agent = await env.connect(client);
    await eventually(() => expect(agent.received).toMatchObject([{ id: kept, payload: { content: 'ok again' } }]));
  });
});
