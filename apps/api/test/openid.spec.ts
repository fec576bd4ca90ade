import 'reflect-metadata';
import { generateSync } from 'otplib';
import request from 'supertest';
import { loadConfig } from '../src/core/config/config';
import { Cipher } from '../src/core/crypto/cipher';
import { Log } from '../src/core/logging/log';
import { EventReader } from './support/event-reader';
import { eventually, TestEnvironment } from './support/environment';
import { OpenIdTestProvider } from './support/openid-provider';
import { SignInBrowser } from './support/sign-in-browser';

const PASSWORD = 'violet kettle drum';
const ROLE_MAP = { ops: 'operator', watchers: 'viewer', chiefs: 'admin', ghosts: 'no such role', constructor: 'auditor' };
interface Me {
  id: string;
  email: string;
  roles: string[];
  permissions: string[];
  secondFactor: { enabled: boolean; required: boolean; satisfied: boolean };
}

describe('sign-in by OpenID Connect', () => {
  let provider: OpenIdTestProvider;
  let env: TestEnvironment;
  const log: string[] = [];
  beforeAll(async () => {
    provider = await OpenIdTestProvider.start();
    const settings = { ...provider.settings, OIDC_SCOPES: 'openid profile email groups', OIDC_ROLE_MAP: JSON.stringify(ROLE_MAP), OIDC_NAME: 'Example ID', LOG_LEVEL: 'trace' };
    const sink = { write: (line: string): boolean => log.push(line) > 0 } as unknown as NodeJS.WritableStream;
    env = await TestEnvironment.create(settings, undefined, new Log({ NODE_ENV: 'production', LOG_LEVEL: 'trace' }, sink));
    await provider.serve(env.url);
  });
  afterAll(async () => {
    await env.destroy();
    await provider.stop();
  });

  const start = (returnTo?: string): string => `${env.url}/api/auth/openid/start${returnTo === undefined ? '' : `?returnTo=${encodeURIComponent(returnTo)}`}`;
  const account = (sub: string, groups: string[] = [], more: object = {}): Promise<void> =>
    provider.account({ sub, email: `${sub}@corp.example`, email_verified: true, name: `${sub} Kim`, groups, ...more });
  /** The whole way, to the address in the console. */
  const signIn = async (sub: string, browser = new SignInBrowser(), returnTo?: string): Promise<string> => {
    const to = await browser.redirect(await browser.authorize(start(returnTo), sub));
    return to.replace(env.url, '');
  };
  const tokenOf = async (browser: SignInBrowser): Promise<string> => {
    const refresh = `gwanje_refresh=${browser.cookies(env.url).get('gwanje_refresh')}`;
    const { body } = await request(env.url).post('/api/auth/refresh').set('Cookie', refresh).expect(200);
    return (body as { accessToken: string }).accessToken;
  };
  const me = async (token: string): Promise<Me> => (await request(env.url).get('/api/auth/me').set('Authorization', `Bearer ${token}`).expect(200)).body as Me;
  const signedIn = async (sub: string): Promise<Me & { token: string }> => {
    const browser = new SignInBrowser();
    expect(await signIn(sub, browser)).toBe('/');
    const token = await tokenOf(browser);
    return { ...(await me(token)), token };
  };
  const user = async (email: string, roles = ['operator']): Promise<string> =>
    ((await env.post('/api/users', { email, name: email, password: PASSWORD, roles }).expect(201)).body as { id: string }).id;
  const logIn = (email: string, password = PASSWORD): request.Test => request(env.url).post('/api/auth/login').send({ email, password });

  it('tells which ways to log in there are', async () => {
    const { body } = await request(env.url).get('/api/auth/methods').expect(200);
    expect(body).toEqual({ password: true, openId: { name: 'Example ID' } });
  });

  it('signs somebody in with PKCE, state and nonce, and comes back to the page they wanted', async () => {
    await account('first', ['ops', 'unknown']);
    const browser = new SignInBrowser();
    const away = new URL(await browser.redirect(start('/commands?status=failed')));
    expect(away.origin).toBe(provider.issuer);
    expect(Object.fromEntries(away.searchParams)).toMatchObject({
      response_type: 'code', client_id: 'gwanje', code_challenge_method: 'S256', redirect_uri: `${env.url}/api/auth/openid/callback`,
      state: expect.any(String), nonce: expect.any(String), code_challenge: expect.any(String),
    });
    const begun = await browser.open(start());
    for (const part of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/api/auth/openid', 'Max-Age=600']) expect(begun.headers.getSetCookie()[0]).toContain(part);

    expect(await signIn('first', browser, '/commands?status=failed')).toBe('/commands?status=failed');
    const person = await me(await tokenOf(browser));
    expect(person).toMatchObject({ email: 'first@corp.example', name: 'first Kim', roles: ['operator'] });
    expect((await signedIn('first')).id).toBe(person.id);
    await logIn('first@corp.example', '').expect(401);
    await logIn('first@corp.example').expect(401);
    const rows = await env.sql<{ action: string; actor_type: string }>(
      `SELECT action, actor_type FROM audit_log WHERE target_id = $1 AND outcome = 'done' ORDER BY id LIMIT 4`, [person.id],
    );
    expect(rows.map((row) => `${row.actor_type} ${row.action}`)).toEqual(['system users.create', 'system users.link_identity', 'system users.set_roles', 'user auth.login']);
  });

  it('lets roles follow groups at each sign-in; groups outside of the map give nothing, and roles outside of it stay', async () => {
    await account('mover', ['ops', 'watchers', 'ghosts', 'admin', 'toString']);
    const before = await signedIn('mover');
    expect(before.roles).toEqual(['operator', 'viewer']);
    await env.post('/api/roles', { name: 'printers', permissions: ['clients.read'] }).expect(201);
    await request(env.url).put(`/api/users/${before.id}/roles`).set('Authorization', `Bearer ${env.token}`).send({ roles: ['operator', 'viewer', 'printers'] }).expect(200);
    const stream = await EventReader.open(`${env.url}/api/events`, before.token);
    await eventually(() => expect(stream.events.length).toBeGreaterThan(0));

    await account('mover', ['watchers']);
    expect((await signedIn('mover')).roles).toEqual(['printers', 'viewer']);
    await eventually(() => expect(stream.closed).toBe(true));
    expect((await me(before.token)).roles).toEqual(['printers', 'viewer']);
    await account('mover', []);
    expect((await signedIn('mover')).roles).toEqual(['printers']);
    await provider.account({ sub: 'mover', email: 'mover@corp.example', email_verified: true });
    expect((await signedIn('mover')).roles).toEqual(['printers']);
    await env.sql(`UPDATE external_identities SET mapped_roles = ARRAY(SELECT id FROM roles WHERE name = 'printers') WHERE subject = 'mover'`);
    // What an earlier map gave goes with it.
    expect((await signedIn('mover')).roles).toEqual([]);
  });

  it('takes admin away with the group, but never the last one', async () => {
    await account('chief', ['chiefs']);
    expect((await signedIn('chief')).roles).toEqual(['admin']);
    await env.sql(`UPDATE users SET disabled_at = now() WHERE email = 'admin@example.com'`);
    await account('chief', ['watchers']);
    expect((await signedIn('chief')).roles).toEqual(['admin', 'viewer']);
    await env.sql(`UPDATE users SET disabled_at = NULL WHERE email = 'admin@example.com'`);
    expect((await signedIn('chief')).roles).toEqual(['viewer']);
  });

  it('keeps several tabs apart, and takes the answer to each once', async () => {
    await account('tabs', ['ops']);
    const browser = new SignInBrowser();
    const a = await browser.authorize(start('/a'), 'tabs');
    const b = await browser.authorize(start('/b'), 'tabs');
    expect(await browser.redirect(a)).toBe(`${env.url}/a`);
    expect(await browser.redirect(b)).toBe(`${env.url}/b`);
    expect(await browser.redirect(a)).toBe(`${env.url}/login?error=openid_expired`);
    for (let tab = 0; tab < 9; tab++) await browser.open(start());
    expect([...browser.cookies(env.url).keys()].filter((name) => name.startsWith('gwanje_openid_'))).toHaveLength(5);
  });

  it('refuses an answer that was replayed, belongs to another browser, or does not fit state, nonce or PKCE', async () => {
    await account('mallory', ['ops']);
    const cipher = env.app.get(Cipher, { strict: false });
    const begin = async (): Promise<{ browser: SignInBrowser; callback: string; state: string; cookie: string; flow: Record<string, unknown> }> => {
      const browser = new SignInBrowser();
      const callback = await browser.authorize(start(), 'mallory');
      const state = new URL(callback).searchParams.get('state') ?? '';
      const cookie = browser.cookies(env.url).get(`gwanje_openid_${state}`) ?? '';
      const opened = cipher.open(Buffer.from(cookie, 'base64url'), `openid-flow:${state}`) ?? '{}';
      return { browser, callback, state, cookie, flow: JSON.parse(opened) as Record<string, unknown> };
    };
    const end = async (browser: SignInBrowser, callback: string): Promise<string> => {
      const to = await browser.redirect(callback);
      expect(browser.cookies(env.url).has('gwanje_refresh')).toBe(false);
      return to.replace(env.url, '');
    };
    const resealed = async (change: object): Promise<string> => {
      const { browser, callback, state, flow } = await begin();
      const sealed = cipher.seal(JSON.stringify({ ...flow, ...change }), `openid-flow:${state}`).toString('base64url');
      browser.cookies(env.url).set(`gwanje_openid_${state}`, sealed);
      return (await browser.redirect(callback)).replace(env.url, '');
    };
    // As it was, the answer is good: what follows is refused for what was changed.
    expect(await resealed({})).toBe('/');
    expect(await resealed({ nonce: 'another' })).toBe('/login?error=openid_invalid');
    expect(await resealed({ verifier: 'v'.repeat(43) })).toBe('/login?error=openid_invalid');
    expect(await resealed({ state: 'another' })).toBe('/login?error=openid_invalid');
    expect(await resealed({ startedAt: Date.now() - 601_000 })).toBe('/login?error=openid_expired');

    const stolen = await begin();
    expect(await end(new SignInBrowser(), stolen.callback)).toBe('/login?error=openid_expired');
    const own = await begin();
    const swapped = new URL(stolen.callback);
    swapped.searchParams.set('state', own.state);
    expect(await end(own.browser, swapped.href)).toBe('/login?error=openid_invalid');

    const used = await begin();
    expect(await used.browser.redirect(used.callback)).toBe(`${env.url}/`);
    const replay = new SignInBrowser();
    replay.cookies(env.url).set(`gwanje_openid_${used.state}`, used.cookie);
    expect(await end(replay, used.callback)).toBe('/login?error=openid_invalid');

    const forged = new SignInBrowser();
    forged.cookies(env.url).set('gwanje_openid_forged', Buffer.from('{"state":"forged"}').toString('base64url'));
    expect(await end(forged, `${env.url}/api/auth/openid/callback?code=x&state=forged`)).toBe('/login?error=openid_expired');
    for (const query of ['', '?', '?code=x', '?state=', '?state=%00', '?state=__proto__&code=x', '?error=access_denied', '?code=%E0%A4%A']) {
      expect(await end(new SignInBrowser(), `${env.url}/api/auth/openid/callback${query}`)).toBe('/login?error=openid_expired');
    }
    const denied = await begin();
    const refusal = new URL(denied.callback);
    refusal.searchParams.delete('code');
    refusal.searchParams.set('error', 'access_denied');
    expect(await end(denied.browser, refusal.href)).toBe('/login?error=openid_denied');
  });

  it('does not take a local account over: not by an unverified e-mail, and not one that was ever used', async () => {
    await user('victim@corp.example');
    await logIn('victim@corp.example').expect(200);
    await account('victim', ['chiefs'], { email_verified: false });
    expect(await signIn('victim')).toBe('/login?error=email_unverified');
    await account('victim', ['chiefs'], { email_verified: 'true' });
    expect(await signIn('victim')).toBe('/login?error=email_unverified');
    await account('victim', ['chiefs'], { email: 'VICTIM@corp.example' });
    expect(await signIn('victim')).toBe('/login?error=email_taken');
    await logIn('victim@corp.example').expect(200);
    await account('nobody', [], { email: undefined });
    expect(await signIn('nobody')).toBe('/login?error=email_unverified');
    const refused = await env.sql(`SELECT 1 FROM audit_log WHERE action = 'auth.login' AND outcome = 'refused' AND detail->>'reason' = 'email_taken'`);
    expect(refused).toHaveLength(1);
  });

  it('gives an account that waits for its person to them, and its password ends', async () => {
    const id = await user('invited@corp.example', ['auditor']);
    await account('invited', ['ops'], { email_verified: false });
    expect(await signIn('invited')).toBe('/login?error=email_unverified');
    await account('invited', ['ops']);
    expect(await signedIn('invited')).toMatchObject({ id, roles: ['operator'] });
    await logIn('invited@corp.example').expect(401);
    // The provider gives the e-mail to somebody else: that is another person.
    await account('heir', ['ops'], { email: 'invited@corp.example' });
    expect(await signIn('heir')).toBe('/login?error=email_taken');
  });

  it('keeps disabled and deleted accounts out', async () => {
    await account('gone', ['ops']);
    const { id } = await signedIn('gone');
    const admin = (method: 'patch' | 'delete', body?: object): request.Test => request(env.url)[method](`/api/users/${id}`).set('Authorization', `Bearer ${env.token}`).send(body);
    await admin('patch', { disabled: true }).expect(200);
    expect(await signIn('gone')).toBe('/login?error=account_disabled');
    await admin('patch', { disabled: false }).expect(200);
    await signedIn('gone');
    await admin('delete').expect(204);
    expect(await signIn('gone')).toBe('/login?error=account_disabled');
    const again = await user('gone@corp.example', []);
    expect(await signedIn('gone')).toMatchObject({ id: again, roles: ['operator'] });
  });

  it.each([
    '//evil.example', '/\\evil.example', '\\\\evil.example', 'https://evil.example', '/\t/evil.example', '/ /evil.example', 'javascript:alert(1)', '', 'evil.example', '/a\r\nSet-Cookie: x=y', '/%00\u0000',
  ])('does not redirect to %j', async (returnTo) => {
    const response = await new SignInBrowser().open(start(returnTo));
    expect(response.status).toBe(400);
    expect((await response.json()) as object).toMatchObject({ errors: [{ path: 'returnTo' }] });
  });

  it('asks for the second factor where a role demands it, whatever the provider did', async () => {
    await env.post('/api/roles', { name: 'vault', permissions: ['clients.read'], requiresSecondFactor: true }).expect(201);
    await account('careful');
    const first = await signedIn('careful');
    await request(env.url).put(`/api/users/${first.id}/roles`).set('Authorization', `Bearer ${env.token}`).send({ roles: ['vault'] }).expect(200);
    const browser = new SignInBrowser();
    await signIn('careful', browser);
    const token = await tokenOf(browser);
    const as = (bearer: string, path: string, body: object = {}): request.Test => request(env.url).post(`/api/auth/second-factor${path}`).set('Authorization', `Bearer ${bearer}`).send(body);
    expect(await me(token)).toMatchObject({ permissions: [], secondFactor: { enabled: false, required: true, satisfied: false } });
    const { secret } = (await as(token, '').expect(201)).body as { secret: string };
    await as(token, '/confirm', { otp: generateSync({ secret }) }).expect(200);
    expect((await me(token)).permissions).toEqual(['clients.read']);

    await env.sql('UPDATE second_factors SET last_step = last_step - 10');
    const again = await signedIn('careful');
    expect(again).toMatchObject({ permissions: [], secondFactor: { enabled: true, required: true, satisfied: false } });
    await as(again.token, '/prove', { otp: generateSync({ secret }) }).expect(204);
    expect((await me(again.token)).permissions).toEqual(['clients.read']);
  });

  it('lets two first sign-ins at the same moment make one account', async () => {
    await account('twin', ['ops']);
    const [a, b] = [new SignInBrowser(), new SignInBrowser()];
    const callbacks = [await a.authorize(start(), 'twin'), await b.authorize(start(), 'twin')];
    const ends = await Promise.all([a.redirect(callbacks[0] ?? ''), b.redirect(callbacks[1] ?? '')]);
    expect(ends).toEqual([`${env.url}/`, `${env.url}/`]);
    expect(await env.sql(`SELECT 1 FROM users WHERE email = 'twin@corp.example'`)).toHaveLength(1);
  });

  it('starts without the provider, says that it is away, and goes on when it is back', async () => {
    const other = await OpenIdTestProvider.start();
    await other.stop();
    const here = await TestEnvironment.create(other.settings);
    try {
      const begin = `${here.url}/api/auth/openid/start`;
      expect(await new SignInBrowser().redirect(begin)).toBe(`${here.url}/login?error=openid_unavailable`);
      const back = await OpenIdTestProvider.start(new URL(other.issuer).port);
      try {
        await back.serve(here.url);
        await back.account({ sub: 'late', email: 'late@corp.example', email_verified: true });
        const browser = new SignInBrowser();
        expect(await browser.redirect(await browser.authorize(begin, 'late'))).toBe(`${here.url}/`);
        const cut = new SignInBrowser();
        const callback = await cut.authorize(begin, 'late');
        await back.stop();
        expect(await cut.redirect(callback)).toBe(`${here.url}/login?error=openid_unavailable`);
        await here.get('/health/ready').expect(200);
      } finally {
        await back.stop();
      }
    } finally {
      await here.destroy();
    }
  });

  it('refuses what the provider did not sign', async () => {
    const forger = await OpenIdTestProvider.start();
    const here = await TestEnvironment.create(forger.settings);
    try {
      await forger.serve(here.url, true);
      await forger.account({ sub: 'forged', email: 'forged@corp.example', email_verified: true });
      const browser = new SignInBrowser();
      const callback = await browser.authorize(`${here.url}/api/auth/openid/start`, 'forged');
      expect(await browser.redirect(callback)).toBe(`${here.url}/login?error=openid_invalid`);
      expect(await here.sql(`SELECT 1 FROM users WHERE email = 'forged@corp.example'`)).toHaveLength(0);
    } finally {
      await here.destroy();
      await forger.stop();
    }
  });

  it('is not there without settings', async () => {
    const here = await TestEnvironment.create();
    try {
      expect((await request(here.url).get('/api/auth/methods').expect(200)).body).toEqual({ password: true, openId: null });
      await request(here.url).get('/api/auth/openid/start').expect(404);
      expect(await new SignInBrowser().redirect(`${here.url}/api/auth/openid/callback?code=x&state=y`)).toBe(`${here.url}/login?error=openid_expired`);
    } finally {
      await here.destroy();
    }
  });

  it('leaves no code, cookie or secret in log and audit record', async () => {
    await account('canary', ['ops']);
    const browser = new SignInBrowser();
    const callback = new URL(await browser.authorize(start(), 'canary'));
    const [code, state] = [callback.searchParams.get('code') ?? '', callback.searchParams.get('state') ?? ''];
    const cookie = browser.cookies(env.url).get(`gwanje_openid_${state}`) ?? '';
    await browser.redirect(callback.href);
    const replay = new SignInBrowser();
    replay.cookies(env.url).set(`gwanje_openid_${state}`, cookie);
    await replay.redirect(callback.href);
    const written = log.join('') + JSON.stringify(await env.sql('SELECT * FROM audit_log'));
    expect(written).toContain('openid_invalid');
    const refresh = browser.cookies(env.url).get('gwanje_refresh') ?? '';
    for (const canary of [code, state, cookie, refresh, provider.settings['OIDC_CLIENT_SECRET'] ?? '']) {
      expect(canary).not.toBe('');
      expect(written).not.toContain(canary);
    }
  });
});

describe('settings of OpenID Connect', () => {
  const required = { DATABASE_URL: 'postgresql://localhost/x', REDIS_URL: 'redis://localhost', JWT_SECRET: 'x'.repeat(32) };
  const openId = { OIDC_ISSUER: 'https://id.example/realm', OIDC_CLIENT_ID: 'gwanje', OIDC_CLIENT_SECRET: 'secret' };
  it('are all there, or none', () => {
    expect(loadConfig(required).OIDC_ISSUER).toBeUndefined();
    expect(loadConfig({ ...required, ...openId }).OIDC_ISSUER).toBe(openId.OIDC_ISSUER);
    expect(() => loadConfig({ ...required, ...openId, OIDC_CLIENT_SECRET: '' })).toThrow('OIDC_CLIENT_SECRET must be set');
    expect(() => loadConfig({ ...required, OIDC_CLIENT_ID: 'gwanje' })).toThrow(/OIDC_ISSUER must be set[^]*OIDC_CLIENT_SECRET must be set/);
  });

  it.each([
    ['OIDC_ISSUER', 'http://id.example'], ['OIDC_ISSUER', 'id.example'], ['OIDC_ISSUER', 'https://id.example?x=y'], ['OIDC_ISSUER', 'http://localhost.evil.example'],
    ['OIDC_REDIRECT_URL', 'https://gwanje.example/elsewhere'], ['OIDC_ROLE_MAP', 'ops=operator'], ['OIDC_ROLE_MAP', '["operator"]'], ['OIDC_ROLE_MAP', '{"ops": 1}'],
  ])('%s is not %s', (name, value) => {
    expect(() => loadConfig({ ...required, ...openId, [name]: value })).toThrow(name);
  });
});
