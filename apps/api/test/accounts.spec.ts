import { generateSync } from 'otplib';
import request from 'supertest';
import { AuditService } from '../src/audit/audit.service';
import { OneTimeCodes } from '../src/identity/one-time-codes';
import { PasswordsService } from '../src/identity/passwords.service';
import { TestEnvironment } from './support/environment';

const PASSWORD = 'violet kettle drum';
interface Row {
  action: string;
  actor_type: string;
  address: string | null;
  target_id: string | null;
  detail: { turnedAway?: number; network?: string | null; leftOut?: number; code?: string };
}

describe('one account, however it is spelled and from wherever it is tried', () => {
  let env: TestEnvironment;
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  const attempt = (email: string, password = PASSWORD, otp?: string, to = env): request.Test =>
    request(to.url).post('/api/auth/login').send({ email, password, otp });
  const create = (email: string, name = 'somebody'): request.Test => env.post('/api/users', { email, name, password: PASSWORD });
  const rows = (action: string, to = env): Promise<Row[]> => to.sql<Row>('SELECT * FROM audit_log WHERE action = $1 ORDER BY id', [action]);
  const lockOutEnds = (): Promise<unknown> => env.sql('UPDATE login_failures SET locked_until = now()');

  it.each([
    ['decomposed Hangul', '한글@example.com', '한글@example.com'.normalize('NFD')],
    ['a decomposed accent and capitals', 'élan@example.com', 'ÉLAN@example.com'.normalize('NFD')],
    ['full-width forms', 'wide@example.com', 'ｗｉｄｅ@example.com'],
    ['a capital that some lower-case to a dotless one', 'ibis@example.com', 'IBIS@example.com'],
  ])('is the same account with %s: one log-in, one counter, never two', async (_, email, spelled) => {
    expect(spelled).not.toBe(email);
    await create(email).expect(201);
    await create(spelled).expect(409);
    await attempt(spelled).expect(200);
    for (const each of [email, spelled, email, spelled, email]) await attempt(each, 'not the password').expect(401);
    await attempt(spelled).expect(429);
    await attempt(email).expect(429);
  });

  it('opens no session for a password that was changed while it was held against the old one', async () => {
    await create('changing@example.com').expect(201);
    const passwords = env.app.get(PasswordsService, { strict: false });
    const matches = passwords.matches.bind(passwords);
    const spy = jest.spyOn(passwords, 'matches').mockImplementationOnce(async (...args) => {
      const isRight = await matches(...args);
      await env.sql('UPDATE users SET password_hash = $2 WHERE email = $1', ['changing@example.com', await passwords.hashNew('another violet kettle')]);
      return isRight;
    });
    await attempt('changing@example.com').expect(401);
    spy.mockRestore();
    expect(await env.sql(`SELECT 1 FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = 'changing@example.com'`)).toEqual([]);
    await attempt('changing@example.com', 'another violet kettle').expect(200);
  });

  it('lets somebody in who typed a space too many', async () => {
    await create('space@example.com').expect(201);
    await attempt('  space@example.com ').expect(200);
  });

  it('takes a dotless i for another letter, and counts for it what is guessed of it', async () => {
    const [dotless, dotted] = ['ırmak@example.com', 'irmak@example.com'];
    await create(dotless).expect(201);
    await create(dotted).expect(201);
    for (let guess = 0; guess < 5; guess++) await attempt(dotless, 'not the password').expect(401);
    await attempt(dotless).expect(429);
    await attempt(dotted).expect(200);
    // Whether a capital with a dot is a third letter depends on the database; the counter goes by the account, whichever it is.
    const capital = 'İrmak@example.com';
    const [same] = await env.sql<{ is: boolean }>('SELECT account_key($1) = account_key($2) AS is', [capital, dotted]);
    expect((await create(capital)).status).toBe(same?.is ? 409 : 201);
    for (let guess = 0; guess < 5; guess++) await attempt(capital, 'not the password').expect(401);
    await attempt(dotted).expect(same?.is ? 429 : 200);
  });

  it('keeps names in one form, and finds them in every other', async () => {
    const [composed, decomposed] = ['서울-é', '서울-é'.normalize('NFD')];
    const { id } = await env.client(composed, { groups: [` ${'부산'.normalize('NFD')} `] });
    await env.post('/api/clients', { name: decomposed }).expect(409);
    expect((await env.get(`/api/clients/${encodeURIComponent(decomposed)}`).expect(200)).body).toMatchObject({ id, name: composed, groups: ['부산'] });
    expect((await env.get(`/api/clients?group=${encodeURIComponent('부산'.normalize('NFD'))}`).expect(200)).body).toMatchObject({ items: [{ id }] });
    await env.post('/api/commands', { clientId: decomposed, action: 'noop' }).expect(201);
    await env.post('/api/roles', { name: '점장', permissions: [] }).expect(201);
    await env.post('/api/roles', { name: '점장'.normalize('NFD'), permissions: [] }).expect(409);
    const { body } = await create('named@example.com', '김'.normalize('NFD')).expect(201);
    expect(body).toMatchObject({ name: '김' });
  });

  it('records the first refusal of a lock-out, and then how many it turned away', async () => {
    const { body } = await create('flooded@example.com').expect(201);
    const { id } = body as { id: string };
    for (let guess = 0; guess < 5; guess++) await attempt('flooded@example.com', 'not the password').expect(401);
    const before = (await rows('access')).length;
    const lockOuts = (await rows('auth.lock_out')).length;
    for (let flood = 0; flood < 40; flood++) await attempt('flooded@example.com').expect(429);
    expect((await rows('access')).slice(before)).toMatchObject([{ target_id: 'POST /api/auth/login', detail: { code: 'too_many_attempts' } }]);
    await lockOutEnds();
    await attempt('flooded@example.com', 'not the password').expect(401);
    expect((await rows('auth.lock_out')).slice(lockOuts)).toMatchObject([
      { actor_type: 'system', target_id: id, detail: { turnedAway: 40, network: '127.0.0.1' } },
    ]);
    // The next lock-out is another one.
    await attempt('flooded@example.com').expect(429);
    expect(await rows('access')).toHaveLength(before + 2);
    await lockOutEnds();
    await attempt('flooded@example.com').expect(200);
    expect(await rows('auth.lock_out')).toHaveLength(lockOuts + 1);
  });

  it('keeps a bounded number of rows of strangers, and how many more there were', async () => {
    const audit = env.app.get(AuditService);
    await audit.tellLeftOut();
    const [before, told] = [(await rows('access')).length, (await rows('auth.login')).length];
    for (let flood = 0; flood < 50; flood++) {
      await request(env.url).get('/api/commands').set('Authorization', `Bearer sk_none_${flood}`).expect(401);
      if (flood % 2 === 0) await request(env.url).get('/api/commands').set('Authorization', 'Bearer gwj_none').expect(401);
    }
    expect((await rows('access')).length - before).toBe(30);
    // Other things are not hidden behind the flood: strangers of another kind, and guesses at somebody who is there.
    await attempt('no-such-person@example.com').expect(401);
    await attempt('admin@example.com', 'not the password').expect(401);
    expect((await rows('auth.login')).length - told).toBe(2);
    await audit.tellLeftOut();
    expect((await rows('access')).slice(before + 30)).toMatchObject([
      { actor_type: 'system', target_id: null, detail: { leftOut: 45, network: '127.0.0.1' } },
    ]);
    await request(env.url).get('/api/commands').set('Authorization', 'Bearer gwj_none').expect(401);
    expect((await rows('access')).length - before).toBe(32);
  });

  describe('one-time codes', () => {
    const enrol = async (name: string): Promise<{ id: string; email: string; secret: string; recoveryCodes: string[] }> => {
      const email = `${name}@example.com`;
      const { id } = (await create(email).expect(201)).body as { id: string };
      const { accessToken } = (await attempt(email).expect(200)).body as { accessToken: string };
      const post = (path: string, body: object = {}): request.Test =>
        request(env.url).post(`/api/auth/second-factor${path}`).set('Authorization', `Bearer ${accessToken}`).send(body);
      const { secret } = (await post('').expect(201)).body as { secret: string };
      const { recoveryCodes } = (await post('/confirm', { otp: generateSync({ secret }) }).expect(200)).body as { recoveryCodes: string[] };
      await env.sql('UPDATE second_factors SET last_step = last_step - 10 WHERE user_id = $1', [id]);
      return { id, email, secret, recoveryCodes };
    };
    const twenty = <T>(act: () => PromiseLike<T>): Promise<T[]> => Promise.all(Array.from({ length: 20 }, act));

    it('opens one session for one recovery code that comes in twenty requests at once', async () => {
      const { id, email, recoveryCodes } = await enrol('recovers');
      const answers = await twenty(() => attempt(email, PASSWORD, recoveryCodes[0]));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      expect(answers.every(({ status }) => [200, 401, 429].includes(status))).toBe(true);
      expect(await env.sql('SELECT 1 FROM sessions WHERE user_id = $1 AND revoked_at IS NULL', [id])).toHaveLength(2);
      expect(await env.sql('SELECT 1 FROM recovery_codes WHERE user_id = $1', [id])).toHaveLength(9);
    });

    it('opens one session for one code of the authenticator that comes in twenty requests at once, and none for its replay', async () => {
      const { id, email, secret } = await enrol('replays');
      const otp = generateSync({ secret });
      const answers = await twenty(() => attempt(email, PASSWORD, otp));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      await lockOutEnds();
      expect((await attempt(email, PASSWORD, otp).expect(401)).body).toMatchObject({ code: 'otp_invalid' });
      expect(await env.sql('SELECT 1 FROM sessions WHERE user_id = $1 AND revoked_at IS NULL', [id])).toHaveLength(2);
    });

    it('takes each once by the database alone, without the turns that one process gives', async () => {
      const { id, email, secret, recoveryCodes } = await enrol('elsewhere');
      const codes = env.app.get(OneTimeCodes);
      const by = { type: 'anonymous' as const, id: null, origin: { requestId: email, address: '192.0.2.1' } };
      for (const code of [generateSync({ secret }), recoveryCodes[0] ?? '']) {
        const taken = await twenty(() => codes.redeem(id, code, by));
        expect(taken.filter(Boolean)).toHaveLength(1);
      }
    });
  });

  describe('X-Forwarded-For', () => {
    const forwarded = (to: TestEnvironment, chain: string, email = 'nobody@example.com'): request.Test =>
      attempt(email, 'not the password', undefined, to).set('X-Forwarded-For', chain);
    const addresses = async (to: TestEnvironment): Promise<(string | null)[]> => (await rows('auth.login', to)).map(({ address }) => address);

    it('changes neither the record nor the counter, whoever sends it, unless a proxy is trusted', async () => {
      const plain = await TestEnvironment.create();
      try {
        for (let guess = 0; guess < 5; guess++) await forwarded(plain, `203.0.113.${guess}`).expect(401);
        await forwarded(plain, '203.0.113.99').expect(429);
        expect(new Set(await addresses(plain))).toEqual(new Set(['127.0.0.1']));
      } finally {
        await plain.destroy();
      }
    });

    it('counts for its last hop that is not trusted, when a trusted proxy sends it', async () => {
      const proxied = await TestEnvironment.create({ TRUST_PROXY: '127.0.0.1,10.0.0.0/8' });
      const latest = async (): Promise<string | null | undefined> => (await addresses(proxied)).at(-1);
      try {
        for (let guess = 0; guess < 5; guess++) await forwarded(proxied, `192.0.2.${guess}, 203.0.113.7, 10.1.2.3`).expect(401);
        expect(await latest()).toBe('203.0.113.7');
        await forwarded(proxied, '192.0.2.200, 203.0.113.7').expect(429);
        await forwarded(proxied, '203.0.113.7, 192.0.2.200').expect(401);
        expect(await latest()).toBe('192.0.2.200');
        for (const nonsense of ['no address', '192.0.2.9:1234', '<b>', 'unknown, 10.0.0.1']) {
          await forwarded(proxied, nonsense, `${encodeURIComponent(nonsense).replaceAll('%', '')}@example.com`).expect(401);
          expect(await latest()).toBe('127.0.0.1');
        }
        for (let guess = 0; guess < 5; guess++) await forwarded(proxied, `2001:db8:1:2::${guess}`, 'six@example.com').expect(401);
        await forwarded(proxied, '2001:db8:1:2:9:9:9:9', 'six@example.com').expect(429);
        await forwarded(proxied, '2001:db8:1:3::1', 'six@example.com').expect(401);
      } finally {
        await proxied.destroy();
      }
    });

    it('says nothing when another peer than the trusted one sends it', async () => {
      const other = await TestEnvironment.create({ TRUST_PROXY: '198.51.100.1' });
      try {
        await forwarded(other, '203.0.113.7').expect(401);
        expect((await addresses(other)).at(-1)).toBe('127.0.0.1');
      } finally {
        await other.destroy();
      }
    });
  });
});
