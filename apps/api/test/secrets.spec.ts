import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import request from 'supertest';
import { Log } from '../src/core/logging/log';
import { eventually, TestEnvironment } from './support/environment';
import { EventReader } from './support/event-reader';

/** Secrets are sent wherever somebody could send one; then everything that is written down or streamed is searched for them. */
describe('secrets', () => {
  let env: TestEnvironment;
  let log = '';
  const canaries: string[] = [];
  const canary = (): string => {
    const text = `canary${randomUUID().replaceAll('-', '').slice(8)}`;
    canaries.push(text);
    return text;
  };
  beforeAll(async () => {
    const sink = new Writable({ write: (chunk: Buffer, _, done) => ((log += chunk.toString()), done()) });
    env = await TestEnvironment.create({ LOG_LEVEL: 'trace' }, undefined, new Log({ NODE_ENV: 'production', LOG_LEVEL: 'trace' }, sink));
  });
  afterAll(() => env.destroy());

  it('are found in no log, audit row, export or stream', async () => {
    const news = await EventReader.open(`${env.url}/api/events`, env.token);
    const login = (body: object): request.Test => request(env.url).post('/api/auth/login').send(body);
    const password = canary();
    await env.post('/api/users', { email: 'kim@example.com', name: 'Kim', password, roles: ['operator'] }).expect(201);
    const session = await login({ email: 'kim@example.com', password, otp: canary() });
    const { accessToken } = session.body as { accessToken: string };
    canaries.push(accessToken, (session.headers['set-cookie'] as unknown as string[])[0]?.split(/[=;]/)[1] ?? 'no cookie');
    await login({ email: 'kim@example.com', password: canary() }).expect(401);
    await login({ email: `${canary()}@example.com`, password: canary() }).expect(401);
    await login({ email: 'kim@example.com', password: 'x', apiKey: canary() }).expect(400);
    await env.post('/api/auth/password', { currentPassword: canary(), newPassword: canary() }).expect(400);
    const { body: temporary } = await env.post('/api/users', { email: 'lee@example.com', name: 'Lee' }).expect(201);
    const { body: script } = await env.post('/api/auth/tokens', { name: 'ci' }).expect(201);
    const { body: enrolment } = await env.post('/api/enrolment-tokens', { uses: 2 }).expect(201);
    canaries.push((temporary as { temporaryPassword: string }).temporaryPassword, (script as { token: string }).token, (enrolment as { token: string }).token);
    const { body: enrolled } = await request(env.url).post('/api/enrol').send({ token: (enrolment as { token: string }).token, name: 'till', platform: 'x' }).expect(201);
    const client = enrolled as { id: string; clientKey: string };
    canaries.push(client.clientKey);
    await request(env.url).post('/api/enrol').send({ token: `gwe_${canary()}`, name: 'x', platform: 'x' }).expect(401);

    for (const scheme of ['Bearer ', 'Bearer sk_till_', 'Bearer gwj_', 'Basic ']) {
      await request(env.url).get('/api/commands').set('Authorization', scheme + canary()).set('X-Api-Key', canary()).set('Cookie', `gwanje_refresh=${canary()}`).expect(401);
    }
    await request(env.url).post('/api/auth/refresh').set('Cookie', `gwanje_refresh=${canary()}`).expect(401);
    await env.get(`/api/clients?q=${canary()}`).expect(200);
    await env.get(`/api/commands?status=${canary()}`).expect(400);
    await env.get(`/api/commands/${canary()}?token=${canary()}`).expect(404);
    await env.get(`/api/${canary()}`).expect(404);
    await request(env.url).post('/api/commands').set('Authorization', `Bearer ${env.token}`).set('Content-Type', 'application/json').send(`{"password":"${canary()}`).expect(400);

    const agent = await env.connect(client);
    expect(await agent.post(`/api/commands/${canary()}/result`, { success: true, data: canary() })).toBe(404);
    const secret = canary();
    const id = await env.command(client.id, { action: 'file_put', payload: { path: '/tmp/x', content: secret } });
    const watching = await EventReader.open(`${env.url}/api/commands/${id}/stream`, env.token);
    await eventually(() => expect(agent.received[0]?.payload).toMatchObject({ content: secret }));
    await agent.post(`/api/commands/${id}/result`, { success: true });
    await eventually(() => expect(watching.closed).toBe(true));
    await env.post('/api/commands', { clientId: client.id, action: 'print', payload: { filePath: 5, password: canary() } }).expect(400);
    // Something that nobody foresaw: the error is logged, and says nothing of what was sent.
    await env.sql('ALTER TABLE roles RENAME TO roles_away');
    const broken = await env.get(`/api/clients?q=${canary()}`).set('X-Api-Key', canary());
    await env.sql('ALTER TABLE roles_away RENAME TO roles');
    expect(broken.status).toBe(500);

    const places: Record<string, string> = { log, news: JSON.stringify(news.events), stream: JSON.stringify(watching.events) };
    for (const format of ['csv', 'ndjson']) {
      const { body } = await env.post('/api/audit/exports', { format }).expect(202);
      await eventually(async () => expect((await env.get(`/api/audit/exports/${(body as { id: string }).id}`)).body).toMatchObject({ status: 'completed' }));
      const file = await env.get(`/api/audit/exports/${(body as { id: string }).id}/download`).buffer(true).parse((answer, done) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part)).on('end', () => done(null, Buffer.concat(parts)));
      });
      places[format] = (file.body as Buffer).toString();
      expect(places[format].length).toBeGreaterThan(1_000);
    }
    places['metrics'] = (await request(env.url).get('/metrics')).text;
    for (const path of ['/api/audit?limit=200', '/api/commands', `/api/commands/${id}`, `/api/commands/${id}/logs`, '/api/clients/till/queue', '/api/auth/tokens', '/api/users']) {
      places[path] = (await env.get(path).expect(200)).text;
    }
    const tables = await env.sql<{ name: string }>(`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`);
    for (const { name } of tables) {
      const [row] = await env.sql<{ text: string | null }>(`SELECT string_agg(t::text, E'\\n') AS text FROM ${name} t`);
      places[`table ${name}`] = row?.text ?? '';
    }
    const found = Object.entries(places).flatMap(([place, text]) => canaries.filter((one) => text.includes(one)).map((one) => `${place}: canary ${canaries.indexOf(one)}`));
    expect(found).toEqual([]);
    expect(log).toContain('unexpected error');
    news.close();
  });

  it('cannot be set where they do not belong: no field of a table is taken from a body that does not name it', async () => {
    const { body: user } = await env.post('/api/users', { email: 'mass@example.com', name: 'Mass' }).expect(201);
    const { id } = user as { id: string };
    const client = await env.client('mass');
    await env.post('/api/roles', { name: 'mass', permissions: [] }).expect(201);
    const order = { clientId: client.id, action: 'noop', payload: {} };
    const routes: { table: string; call: (body: object) => request.Test; own: string[]; rest: object }[] = [
      { table: 'users', call: (body) => env.post('/api/users', body), own: ['email', 'name', 'scope', 'password', 'roles'], rest: { email: 'new@example.com', name: 'x' } },
      { table: 'users', call: (body) => patch(`/api/users/${id}`, body), own: ['email', 'name', 'scope', 'password', 'disabled'], rest: {} },
      { table: 'roles', call: (body) => env.post('/api/roles', body), own: ['name', 'permissions', 'scope', 'requiresSecondFactor'], rest: { name: 'x', permissions: [] } },
      { table: 'roles', call: (body) => patch('/api/roles/mass', body), own: ['name', 'permissions', 'scope', 'requiresSecondFactor'], rest: {} },
      { table: 'clients', call: (body) => env.post('/api/clients', body), own: ['name', 'groups', 'labels', 'concurrency'], rest: { name: 'x' } },
      { table: 'clients', call: (body) => patch('/api/clients/mass', body), own: ['name', 'groups', 'labels', 'concurrency'], rest: {} },
      { table: 'commands', call: (body) => env.post('/api/commands', body), own: ['clientId', 'action', 'payload', 'priority', 'timeoutMs', 'notBefore', 'expiresAt', 'maxAttempts'], rest: order },
      { table: 'personal_access_tokens', call: (body) => env.post('/api/auth/tokens', body), own: ['name', 'permissions', 'expiresAt'], rest: { name: 'x' } },
      { table: 'enrolment_tokens', call: (body) => env.post('/api/enrolment-tokens', body), own: ['groups', 'expiresAt', 'uses'], rest: {} },
      { table: 'client_permissions', call: (item) => put('/api/clients/mass/permissions', { items: [item] }), own: ['id', 'actions', 'limits'], rest: { role: 'viewer', actions: ['noop'] } },
    ];
    for (const { table, call, own, rest } of routes) {
      const columns = (await env.sql<{ name: string }>(`SELECT column_name AS name FROM information_schema.columns WHERE table_name = $1`, [table])).map(({ name }) => name);
      const names = new Set(columns.flatMap((name) => [name, name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())]));
      expect(names.size).toBeGreaterThan(5);
      for (const name of names) {
        if (own.includes(name)) continue;
        const { status, body } = await call({ ...rest, [name]: 'x' });
        expect([table, name, status, (body as { errors?: { path: string }[] }).errors?.some(({ path }) => path.endsWith(name))]).toEqual([table, name, 400, true]);
      }
    }
  });

  const patch = (path: string, body: object): request.Test => request(env.url).patch(path).set('Authorization', `Bearer ${env.token}`).send(body);
  const put = (path: string, body: object): request.Test => request(env.url).put(path).set('Authorization', `Bearer ${env.token}`).send(body);
});
