import { generateSync } from 'otplib';
import request from 'supertest';
import { Log } from '../src/core/logging/log';
import { EventReader } from './support/event-reader';
import { eventually, TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';
type Method = 'get' | 'post' | 'delete' | 'patch' | 'put';
interface Me {
  permissions: string[];
  secondFactor: { enabled: boolean; required: boolean; satisfied: boolean };
}

describe('the second factor', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  const as = (token: string, method: Method, path: string, body?: object): request.Test => {
    const call = request(env.url)[method](path).set('Authorization', `Bearer ${token}`);
    return body ? call.send(body) : call;
  };
  const attempt = (email: string, otp?: string, password = PASSWORD): request.Test => request(env.url).post('/api/auth/login').send({ email, password, otp });
  const logIn = async (email: string, otp?: string): Promise<string> => ((await attempt(email, otp).expect(200)).body as { accessToken: string }).accessToken;
  const codeOf = (answer: request.Response): string => (answer.body as { code: string }).code;
  const me = async (token: string): Promise<Me> => (await as(token, 'get', '/api/auth/me').expect(200)).body as Me;
  const user = async (name: string, roles = ['operator']): Promise<{ id: string; email: string }> => {
    const email = `${name}@example.com`;
    const { body } = await env.post('/api/users', { email, name, password: PASSWORD, roles }).expect(201);
    return { id: (body as { id: string }).id, email };
  };
  /** Codes are taken once; this stands for the half minutes until the next. */
  const halfMinutesPass = (): Promise<unknown> => env.sql('UPDATE second_factors SET last_step = last_step - 10');
  const forgiven = (): Promise<unknown> => env.sql('UPDATE login_failures SET locked_until = now()');
  const code = (secret: string): string => generateSync({ secret });
  /** A code that is of no step around now. */
  const wrong = (secret: string): string => {
    const near = [-60, -30, 0, 30, 60].map((shift) => generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + shift }));
    return ['000000', '111111', '222222', '333333', '444444', '555555'].find((candidate) => !near.includes(candidate)) ?? '';
  };
  const enrol = async (token: string): Promise<{ secret: string; recoveryCodes: string[] }> => {
    const { secret } = (await as(token, 'post', '/api/auth/second-factor').expect(201)).body as { secret: string };
    const { body } = await as(token, 'post', '/api/auth/second-factor/confirm', { otp: code(secret) }).expect(200);
    await halfMinutesPass();
    return { secret, ...(body as { recoveryCodes: string[] }) };
  };

  it('is enrolled with a code of it, ends the other sessions, and is asked for at the next log-in', async () => {
    const { email } = await user('enrol');
    const [token, other] = [await logIn(email), await logIn(email)];
    expect(await me(token)).toMatchObject({ secondFactor: { enabled: false, required: false, satisfied: true } });
    expect(codeOf(await as(token, 'post', '/api/auth/second-factor/confirm', { otp: '123456' }).expect(409))).toBe('no_pending_enrolment');
    const { body } = await as(token, 'post', '/api/auth/second-factor').expect(201);
    const { secret, otpauthUri } = body as { secret: string; otpauthUri: string };
    const uri = new URL(otpauthUri);
    expect([uri.host, decodeURIComponent(uri.pathname), uri.searchParams.get('secret')]).toEqual(['totp', `/Gwanje:${email}`, secret]);
    expect(await logIn(email)).toBeTruthy();
    await as(token, 'post', '/api/auth/second-factor/confirm', { otp: wrong(secret) }).expect(400);

    const stream = await EventReader.open(`${env.url}/api/events`, other);
    await eventually(() => expect(stream.events.length).toBeGreaterThan(0));
    const confirmed = await as(token, 'post', '/api/auth/second-factor/confirm', { otp: code(secret) }).expect(200);
    const { recoveryCodes } = confirmed.body as { recoveryCodes: string[] };
    expect(new Set(recoveryCodes).size).toBe(10);
    await eventually(() => expect(stream.closed).toBe(true));
    await as(other, 'get', '/api/auth/me').expect(401);
    expect(await me(token)).toMatchObject({ secondFactor: { enabled: true, required: false, satisfied: true } });
    expect((await as(token, 'get', '/api/auth/second-factor').expect(200)).body).toEqual({ enabled: true, recoveryCodesLeft: 10 });
    expect(codeOf(await as(token, 'post', '/api/auth/second-factor').expect(409))).toBe('second_factor_enabled');

    await halfMinutesPass();
    expect(codeOf(await attempt(email).expect(401))).toBe('otp_required');
    expect(codeOf(await attempt(email, wrong(secret)).expect(401))).toBe('otp_invalid');
    expect(codeOf(await attempt(email, code(secret), 'not the password').expect(401))).toBe('unauthorized');
    expect(await me(await logIn(email, code(secret)))).toMatchObject({ secondFactor: { satisfied: true } });

    const rows = await env.sql<{ secret: Buffer }>('SELECT secret FROM second_factors');
    expect(rows.every((row) => !row.secret.includes(secret))).toBe(true);
  });

  it('takes each code once, whoever comes with it at the same moment', async () => {
    const { email } = await user('once');
    const { secret } = await enrol(await logIn(email));
    const otp = code(secret);
    const both = await Promise.all([attempt(email, otp), attempt(email, otp)]);
    expect(both.map((answer) => answer.status).sort()).toEqual([200, 401]);
    expect(codeOf(await attempt(email, otp).expect(401))).toBe('otp_invalid');
  });

  it('takes the code of one step before and after, and no other', async () => {
    const { email } = await user('drift');
    const { secret } = await enrol(await logIn(email));
    // On one database the clock cannot be moved, so the codes are: their distance is held well inside of what is allowed.
    const shifted = (seconds: number): string => generateSync({ secret, epoch: Math.floor(Date.now() / 1000) + seconds });
    const middle = async (): Promise<void> => eventually(() => expect((Date.now() / 1000) % 30).toBeLessThan(25));
    await middle();
    await attempt(email, shifted(-30)).expect(200);
    await attempt(email, shifted(30)).expect(200);
    await halfMinutesPass();
    await middle();
    await attempt(email, shifted(-60)).expect(401);
    await attempt(email, shifted(60)).expect(401);
  });

  it('lets recovery codes in, each once, and makes new ones for whoever proves themselves', async () => {
    const { id, email } = await user('recover');
    const { secret, recoveryCodes } = await enrol(await logIn(email));
    const [first = '', second = '', third = ''] = recoveryCodes;
    const together = await Promise.all([attempt(email, first), attempt(email, first)]);
    expect(together.map((answer) => answer.status).sort()).toEqual([200, 401]);
    const token = await logIn(email, second.toLowerCase().replaceAll('-', ' '));
    expect((await as(token, 'get', '/api/auth/second-factor').expect(200)).body).toEqual({ enabled: true, recoveryCodesLeft: 8 });
    const used = await env.sql(`SELECT 1 FROM audit_log WHERE action = 'auth.use_recovery_code' AND target_id = $1`, [id]);
    expect(used).toHaveLength(2);

    await as(token, 'post', '/api/auth/second-factor/recovery-codes', {}).expect(400);
    await as(token, 'post', '/api/auth/second-factor/recovery-codes', { password: 'not the password' }).expect(400);
    const { body } = await as(token, 'post', '/api/auth/second-factor/recovery-codes', { otp: code(secret) }).expect(200);
    expect((body as { recoveryCodes: string[] }).recoveryCodes).toHaveLength(10);
    await attempt(email, third).expect(401);
    await attempt(email, (body as { recoveryCodes: string[] }).recoveryCodes[0]).expect(200);
  });

  it('slows the guessing of codes down, and a right password without a code does not help the guesser', async () => {
    const { email } = await user('guess');
    const { secret } = await enrol(await logIn(email));
    for (let guess = 0; guess < 5; guess++) {
      expect(codeOf(await attempt(email).expect(401))).toBe('otp_required');
      expect(codeOf(await attempt(email, wrong(secret)).expect(401))).toBe('otp_invalid');
    }
    await attempt(email).expect(429);
    await attempt(email, code(secret)).expect(429);
    await forgiven();
    expect(codeOf(await attempt(email).expect(401))).toBe('otp_required');
    await attempt(email, wrong(secret)).expect(401);
    await attempt(email).expect(429);
    await forgiven();
    await attempt(email, code(secret)).expect(200);
    expect(codeOf(await attempt(email, wrong(secret)).expect(401))).toBe('otp_invalid');
  });

  it('is ended by its owner with the password or a code, and by whoever may do all that the owner may', async () => {
    const { id, email } = await user('ended');
    const token = await logIn(email);
    await enrol(token);
    const script = (await as(token, 'post', '/api/auth/tokens', { name: 'script' }).expect(201)).body as { token: string };
    for (const [method, path] of [['post', ''], ['post', '/confirm'], ['post', '/prove'], ['delete', ''], ['post', '/recovery-codes']] as const) {
      await as(script.token, method, `/api/auth/second-factor${path}`, path === '/confirm' || path === '/prove' ? { otp: '123456' } : {}).expect(403);
    }
    await as(token, 'delete', '/api/auth/second-factor', { password: 'not the password' }).expect(400);
    await as(token, 'delete', '/api/auth/second-factor', { password: PASSWORD }).expect(204);
    expect(codeOf(await as(token, 'delete', '/api/auth/second-factor', { password: PASSWORD }).expect(409))).toBe('second_factor_not_enabled');
    const again = await logIn(email);
    await enrol(again);
    await as(token, 'get', '/api/auth/me').expect(401);

    await user('chief', ['admin']);
    const chief = await logIn('chief@example.com');
    await enrol(chief);
    await env.post('/api/roles', { name: 'desk', permissions: ['users.manage', 'commands.create', 'commands.read', 'commands.cancel', 'commands.retry', 'clients.read'] }).expect(201);
    await user('desk', ['desk']);
    const desk = await logIn('desk@example.com');
    await as(again, 'delete', `/api/users/${id}/second-factor`).expect(403);
    await as(desk, 'delete', '/api/users/chief@example.com/second-factor').expect(403);
    const own = '/api/users/chief@example.com';
    for (const change of [
      () => as(chief, 'patch', own, { password: 'copper lantern moss' }),
      () => as(chief, 'post', `${own}/reset-password`),
      () => as(chief, 'delete', `${own}/second-factor`),
    ]) expect(codeOf(await change().expect(409))).toBe('own_account');
    await as(chief, 'patch', own, { name: 'Chief' }).expect(200);
    await as(desk, 'delete', `/api/users/${email}/second-factor`).expect(204);
    expect(codeOf(await as(desk, 'delete', `/api/users/${email}/second-factor`).expect(409))).toBe('second_factor_not_enabled');
    await as(again, 'get', '/api/auth/me').expect(401);
    await logIn(email);
  });

  it('is demanded by a role: without it there are no permissions, for sessions, scripts, streams and waiting commands', async () => {
    const client = await env.client('guarded-1');
    await env.post('/api/roles', { name: 'guarded', permissions: ['commands.create', 'commands.read', 'clients.read'] }).expect(201);
    const { id, email } = await user('guarded', ['guarded']);
    const token = await logIn(email);
    const script = (await as(token, 'post', '/api/auth/tokens', { name: 'script' }).expect(201)).body as { token: string };
    const { body: waiting } = await as(token, 'post', '/api/commands', { clientId: client.id, action: 'noop', payload: {} }).expect(201);
    const stream = await EventReader.open(`${env.url}/api/events`, token);
    await eventually(() => expect(stream.events.length).toBeGreaterThan(0));

    const { body: role } = await as(env.token, 'patch', '/api/roles/guarded', { requiresSecondFactor: true }).expect(200);
    expect(role).toMatchObject({ requiresSecondFactor: true });
    for (const weak of [token, script.token]) {
      expect(await me(weak)).toMatchObject({ permissions: [], secondFactor: { enabled: false, required: true, satisfied: false } });
      await as(weak, 'get', '/api/commands').expect(403);
    }
    await eventually(() => expect(stream.closed).toBe(true));
    const cancelled = await env.reaches((waiting as { id: string }).id, 'cancelled');
    expect(cancelled).toBeTruthy();
    await as(token, 'post', '/api/auth/tokens', { name: 'for later' }).expect(403);
    const explained = await env.get(`/api/permissions/explain?user=${email}&action=noop&client=guarded-1`).expect(200);
    expect(explained.body).toMatchObject({ allowed: false, reasons: [expect.stringContaining('second factor')] });

    const fresh = await attempt(email).expect(200);
    expect(fresh.body).toMatchObject({ user: { permissions: [], secondFactor: { required: true, satisfied: false } } });
    const { secret } = await enrol(token);
    expect(await me(token)).toMatchObject({ permissions: ['clients.read', 'commands.create', 'commands.read'], secondFactor: { enabled: true, satisfied: true } });
    await as(script.token, 'get', '/api/commands').expect(200);
    await as((fresh.body as { accessToken: string }).accessToken, 'get', '/api/auth/me').expect(401);

    // A session without the proof, as an OpenID provider opens it.
    const strong = await logIn(email, code(secret));
    await halfMinutesPass();
    await env.sql('UPDATE sessions SET second_factor = false WHERE user_id = $1', [id]);
    expect(await me(strong)).toMatchObject({ permissions: [], secondFactor: { enabled: true, required: true, satisfied: false } });
    await as(strong, 'delete', '/api/auth/second-factor', { password: PASSWORD }).expect(403);
    await as(strong, 'post', '/api/auth/second-factor/prove', { otp: wrong(secret) }).expect(400);
    await as(strong, 'post', '/api/auth/second-factor/prove', { otp: code(secret) }).expect(204);
    expect(await me(strong)).toMatchObject({ secondFactor: { satisfied: true } });
    await as(strong, 'get', '/api/commands').expect(200);

    await as(strong, 'delete', '/api/auth/second-factor', { password: PASSWORD }).expect(204);
    expect(await me(strong)).toMatchObject({ permissions: [], secondFactor: { enabled: false, required: true, satisfied: false } });
  });

  it('can be demanded of built-in roles, which change in nothing else; and only who holds the rights takes the demand back', async () => {
    const { body } = await as(env.token, 'patch', '/api/roles/auditor', { requiresSecondFactor: true }).expect(200);
    expect(body).toMatchObject({ name: 'auditor', builtIn: true, requiresSecondFactor: true });
    await as(env.token, 'patch', '/api/roles/auditor', { requiresSecondFactor: true, permissions: [] }).expect(409);
    await as(env.token, 'patch', '/api/roles/auditor', { requiresSecondFactor: 'yes' }).expect(400);
    await user('auditor', ['auditor']);
    await env.post('/api/roles', { name: 'clerk', permissions: ['roles.manage'] }).expect(201);
    await user('clerk', ['clerk']);
    const clerk = await logIn('clerk@example.com');
    await as(clerk, 'patch', '/api/roles/auditor', { requiresSecondFactor: false }).expect(403);
    await as(env.token, 'patch', '/api/roles/auditor', { requiresSecondFactor: false }).expect(200);
  });

  it('answers otp_invalid, and recovery codes still work, when the secret was sealed under another JWT_SECRET', async () => {
    const { id, email } = await user('rotated');
    const { secret, recoveryCodes } = await enrol(await logIn(email));
    await env.sql(`UPDATE second_factors SET secret = '\\x01' || decode(repeat('00', 60), 'hex') WHERE user_id = $1`, [id]);
    expect(codeOf(await attempt(email, code(secret)).expect(401))).toBe('otp_invalid');
    await attempt(email, recoveryCodes[0]).expect(200);
  });

  it('leaves no secret, code or token in log and audit record', async () => {
    const lines: string[] = [];
    const sink = { write: (line: string): boolean => lines.push(line) > 0 } as unknown as NodeJS.WritableStream;
    const logged = await TestEnvironment.create({ LOG_LEVEL: 'trace' }, undefined, new Log({ NODE_ENV: 'production', LOG_LEVEL: 'trace' }, sink));
    const here = env;
    env = logged;
    try {
      const { email } = await user('canary');
      const token = await logIn(email);
      const { secret, recoveryCodes } = await enrol(token);
      const [otp, bad] = [code(secret), wrong(secret)];
      await attempt(email, otp).expect(200);
      await attempt(email, bad).expect(401);
      await attempt(email, recoveryCodes[0]).expect(200);
      await attempt(email, 'x'.repeat(33)).expect(400);
      const record = JSON.stringify(await env.sql('SELECT * FROM audit_log'));
      expect(lines.length).toBeGreaterThan(0);
      for (const canary of [secret, otp, bad, ...recoveryCodes, token, PASSWORD]) {
        // Six digits may stand within a longer number by chance.
        const alone = new RegExp(`(?<![\\w.-])${canary}(?![\\w.-])`);
        expect(lines.join('')).not.toMatch(alone);
        expect(record).not.toMatch(alone);
      }
    } finally {
      env = here;
      await logged.destroy();
    }
  });
});
