import Redis from 'ioredis';
import { JwtService } from '@nestjs/jwt';
import { createHmac } from 'node:crypto';
import request from 'supertest';
import { EventReader } from './support/event-reader';
import { eventually, TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';
interface Session {
  token: string;
  cookie: string;
}

describe('who somebody is', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  const user = async (name: string, roles = ['operator']): Promise<{ id: string; email: string }> => {
    const email = `${name}@example.com`;
    const { body } = await env.post('/api/users', { email, name, password: PASSWORD, roles }).expect(201);
    return { id: (body as { id: string }).id, email };
  };
  const cookieOf = (answer: request.Response): string => (answer.headers['set-cookie'] as unknown as string[] | undefined)?.[0]?.split(';')[0] ?? '';
  const attempt = (email: string, password: string): request.Test => request(env.url).post('/api/auth/login').send({ email, password });
  const logIn = async (email: string, password = PASSWORD): Promise<Session> => {
    const answer = await attempt(email, password).expect(200);
    return { token: (answer.body as { accessToken: string }).accessToken, cookie: cookieOf(answer) };
  };
  const refresh = (cookie: string): request.Test => request(env.url).post('/api/auth/refresh').set('Cookie', cookie);
  const as = (token: string, method: 'get' | 'post' | 'delete' | 'patch', path: string, body?: object): request.Test => {
    const call = request(env.url)[method](path).set('Authorization', `Bearer ${token}`);
    return body ? call.send(body) : call;
  };
  const me = async (token: string): Promise<number> => (await as(token, 'get', '/api/auth/me')).status;

  it('sends the refresh secret as a cookie that scripts and other sites do not get', async () => {
    await user('cookie');
    const answer = await attempt('cookie@example.com', PASSWORD).expect(200);
    const cookie = (answer.headers['set-cookie'] as unknown as string[])[0] ?? '';
    for (const part of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/api/auth']) expect(cookie).toContain(part);
    expect(answer.body).toMatchObject({ expiresIn: 600, user: { email: 'cookie@example.com', roles: ['operator'] } });
  });

  it('rotates the refresh secret; two tabs at once are not reuse, an old secret is and ends the session', async () => {
    await user('rotate');
    const first = await logIn('rotate@example.com');
    const tabs = await Promise.all([refresh(first.cookie), refresh(first.cookie)]);
    expect(tabs.map((tab) => tab.status)).toEqual([200, 200]);
    const second = tabs.map(cookieOf).filter((cookie) => cookie !== '');
    expect(second).toHaveLength(1);
    const third = await refresh(second[0] ?? '').expect(200);
    const { accessToken } = third.body as { accessToken: string };
    expect(await me(accessToken)).toBe(200);
    await refresh(first.cookie).expect(401);
    await refresh(cookieOf(third)).expect(401);
    expect(await me(accessToken)).toBe(401);
    const rows = await env.sql(`SELECT 1 FROM audit_log WHERE action = 'auth.refresh_reuse' AND outcome = 'refused'`);
    expect(rows).toHaveLength(1);
  });

  it('ends a session at once: by log-out, from the list of sessions, by a new password', async () => {
    const { email } = await user('sessions');
    const [a, b, c] = [await logIn(email), await logIn(email), await logIn(email)];
    await request(env.url).post('/api/auth/logout').set('Cookie', a.cookie).expect(204);
    expect(await me(a.token)).toBe(401);
    await refresh(a.cookie).expect(401);
    const { body } = await as(b.token, 'get', '/api/auth/sessions').expect(200);
    const { items } = body as { items: { id: string; current: boolean }[] };
    expect(items).toHaveLength(2);
    await as(b.token, 'delete', `/api/auth/sessions/${items.find((item) => !item.current)?.id}`).expect(204);
    expect(await me(c.token)).toBe(401);

    const d = await logIn(email);
    const stream = await EventReader.open(`${env.url}/api/events`, d.token);
    await eventually(() => expect(stream.events.length).toBeGreaterThan(0));
    await as(b.token, 'post', '/api/auth/password', { currentPassword: 'wrong', newPassword: `${PASSWORD}!` }).expect(400);
    await as(b.token, 'post', '/api/auth/password', { currentPassword: PASSWORD, newPassword: `${PASSWORD}!` }).expect(204);
    expect([await me(b.token), await me(d.token)]).toEqual([200, 401]);
    await eventually(() => expect(stream.closed).toBe(true));
  });

  it('tells callers of the same moment apart, whose searches go to the database together', async () => {
    const [ann, ben, gone] = [await user('ann'), await user('ben', ['auditor']), await user('gone')];
    const [a, b, ended] = [await logIn(ann.email), await logIn(ben.email), await logIn(gone.email)];
    const script = async (session: Session): Promise<string> =>
      ((await as(session.token, 'post', '/api/auth/tokens', { name: 'script' }).expect(201)).body as { token: string }).token;
    const [scriptOfA, scriptOfB] = [await script(a), await script(b)];
    await request(env.url).post('/api/auth/logout').set('Cookie', ended.cookie).expect(204);
    const tokens = [a.token, b.token, ended.token, scriptOfB, scriptOfA, a.token];
    const answers = await Promise.all([...tokens, ...tokens, ...tokens].map((token) => as(token, 'get', '/api/auth/me')));
    const seen = answers.map(({ status, body }) => [status, (body as { email?: string }).email, (body as { permissions?: string[] }).permissions?.includes('commands.create')]);
    const [asAnn, asBen] = [[200, ann.email, true], [200, ben.email, false]];
    const expected = [asAnn, asBen, [401, undefined, undefined], asBen, asAnn, asAnn];
    expect(seen).toEqual([...expected, ...expected, ...expected]);
  });

  it.each([
    ['short', 'abcdefg1234'], ['common', '1qaz2wsx3edc'], ['common with digits behind', 'liverpool12345'], ['common twice', 'liverpoolliverpool'], ['one letter', 'aaaaaaaaaaaaaaaa'],
  ])('refuses a password that is %s', async (_, password) => {
    const { body } = await env.post('/api/users', { email: 'weak@example.com', name: 'weak', password }).expect(400);
    expect((body as { errors: { path: string }[] }).errors[0]?.path).toBe('password');
  });

  it('slows guessing down, for unknown accounts too, and FLUSHALL does not help', async () => {
    await user('guessed');
    const redis = new Redis(env.redisUrl);
    for (const email of ['guessed@example.com', 'nobody@example.com']) {
      const guesses = await Promise.all(Array.from({ length: 8 }, () => attempt(email, 'not the password')));
      expect(guesses.map((guess) => guess.status).sort()).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
      await redis.flushall();
      const locked = await attempt(email, PASSWORD).expect(429);
      expect(Number(locked.headers['retry-after'])).toBeGreaterThan(0);
    }
    redis.disconnect();
    await env.sql('UPDATE login_failures SET locked_until = now()');
    await attempt('guessed@example.com', 'not the password').expect(401);
    const [{ wait } = { wait: 0 }] = await env.sql<{ wait: number }>('SELECT extract(epoch FROM max(locked_until) - now())::float8 AS wait FROM login_failures');
    expect(wait).toBeGreaterThan(5);
    await env.sql('UPDATE login_failures SET locked_until = now()');
    await logIn('guessed@example.com');
    await attempt('guessed@example.com', 'not the password').expect(401);
  });

  it('gives scripts tokens with a part of the rights, an end, a last use, and a way to take them back', async () => {
    const { email } = await user('scripted');
    const { token } = await logIn(email);
    await as(token, 'post', '/api/auth/tokens', { name: 'ci', permissions: ['users.manage'] }).expect(403);
    await as(token, 'post', '/api/auth/tokens', { name: 'ci', permissions: ['nonsense'] }).expect(400);
    const { body } = await as(token, 'post', '/api/auth/tokens', { name: 'ci', permissions: ['commands.read'] }).expect(201);
    const script = body as { id: string; token: string };
    expect(script.token).toMatch(/^gwj_/);
    await as(script.token, 'get', '/api/commands').expect(200);
    await as(script.token, 'get', '/api/clients').expect(403);
    await as(script.token, 'post', '/api/auth/tokens', { name: 'more' }).expect(403);
    await as(script.token, 'post', '/api/auth/password', { currentPassword: PASSWORD, newPassword: `${PASSWORD}?` }).expect(403);
    const listed = (await as(token, 'get', '/api/auth/tokens').expect(200)).body as { items: object[] };
    expect(listed.items).toMatchObject([{ id: script.id, name: 'ci', permissions: ['commands.read'], lastUsedAt: expect.any(String) as string }]);
    expect(JSON.stringify(listed)).not.toContain(script.token);

    const stream = await EventReader.open(`${env.url}/api/events`, script.token);
    await as(token, 'delete', `/api/auth/tokens/${script.id}`).expect(204);
    await as(script.token, 'get', '/api/commands').expect(401);
    await eventually(() => expect(stream.closed).toBe(true));
    const soon = (await as(token, 'post', '/api/auth/tokens', { name: 'soon', expiresAt: new Date(Date.now() + 60_000).toISOString() }).expect(201)).body as { id: string; token: string };
    await as(soon.token, 'get', '/api/auth/me').expect(200);
    await env.sql(`UPDATE personal_access_tokens SET expires_at = now() WHERE id = $1`, [soon.id]);
    await as(soon.token, 'get', '/api/auth/me').expect(401);
    await as('gwj_nonsense', 'get', '/api/auth/me').expect(401);
  });

  it('lets a token of an admin give no more than the token holds', async () => {
    const { body } = await env.post('/api/auth/tokens', { name: 'users only', permissions: ['users.manage'] }).expect(201);
    const { token } = body as { token: string };
    await as(token, 'post', '/api/users', { email: 'puppet@example.com', name: 'p', password: PASSWORD, roles: ['admin'] }).expect(403);
    await as(token, 'patch', '/api/users/admin@example.com', { password: PASSWORD }).expect(403);
    await as(token, 'post', '/api/users', { email: 'nobody-yet@example.com', name: 'n', password: PASSWORD }).expect(201);
  });

  it('ends all other sessions at once, and a token ends none', async () => {
    const { email } = await user('scattered');
    const [here, there] = [await logIn(email), await logIn(email)];
    const script = (await as(here.token, 'post', '/api/auth/tokens', { name: 'x' }).expect(201)).body as { token: string };
    await as(script.token, 'delete', '/api/auth/sessions').expect(403);
    expect(await me(there.token)).toBe(200);
    await as(here.token, 'delete', '/api/auth/sessions').expect(204);
    expect([await me(here.token), await me(there.token), await me(script.token)]).toEqual([200, 401, 200]);
    await refresh(there.cookie).expect(401);
    const { body } = await as(here.token, 'get', '/api/auth/sessions').expect(200);
    expect((body as { items: object[] }).items).toMatchObject([{ current: true }]);
  });

  it('refuses forged, swapped and foreign tokens', async () => {
    const { email } = await user('forged');
    const session = await logIn(email);
    const [header = '', claims = '', signature = ''] = session.token.split('.');
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const decoded = JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
    const jwt = env.app.get(JwtService, { strict: false });
    const sign = (change: object, options: object = {}): string => jwt.sign({ sub: decoded['sub'], sid: decoded['sid'], ...change }, options);
    const hmac = (head: object, secret: string): string => {
      const body = `${encode(head)}.${claims}`;
      return `${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`;
    };
    expect(await me(sign({}))).toBe(200);
    const bad = {
      none: `${encode({ alg: 'none', typ: 'JWT' })}.${claims}.`,
      'none with a signature': `${encode({ alg: 'none', typ: 'JWT' })}.${claims}.${signature}`,
      'empty secret': hmac({ alg: 'HS256', typ: 'JWT' }, ''),
      'kid that names a file': hmac({ alg: 'HS256', typ: 'JWT', kid: '../../dev/null' }, ''),
      'kid with SQL': hmac({ alg: 'HS256', typ: 'JWT', kid: "' UNION SELECT ''--" }, ''),
      'jwk of its own': hmac({ alg: 'HS256', typ: 'JWT', jwk: { kty: 'oct', k: '' } }, ''),
      'another algorithm': jwt.sign({ sub: decoded['sub'], sid: decoded['sid'] }, { algorithm: 'HS512' }),
      'changed claims': `${header}.${encode({ ...decoded, sid: decoded['sub'] })}.${signature}`,
      'wrong audience': sign({}, { audience: 'another-api' }),
      'wrong issuer': sign({}, { issuer: 'another' }),
      expired: sign({}, { expiresIn: -1 }),
      'no session': sign({ sid: undefined }),
      'session that is none': sign({ sid: "x' OR '1'='1" }),
      'refresh as access': session.cookie.split('=')[1] ?? '',
      empty: '',
    };
    for (const [what, token] of Object.entries(bad)) expect([what, await me(token)]).toEqual([what, 401]);
    await refresh(`gwanje_refresh=${session.token}`).expect(401);
  });
});
