import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as rawRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { TestEnvironment } from './support/environment';

const SECRET = 'not for the world';

describe('the console as the server serves it', () => {
  let env: TestEnvironment;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-console-'));
    const root = join(folder, 'browser');
    mkdirSync(join(root, 'assets'), { recursive: true });
    writeFileSync(join(folder, 'secret.txt'), SECRET);
    writeFileSync(join(root, 'index.html'), '<app ngCspNonce="CSP_NONCE"></app><script src="main-ABCD1234.js" nonce="CSP_NONCE"></script>');
    writeFileSync(join(root, 'main-ABCD1234.js'), 'console.log(1)');
    writeFileSync(join(root, 'assets', 'logo.svg'), '<svg/>');
    env = await TestEnvironment.create({ CONSOLE_DIR: root });
  });
  afterAll(async () => {
    await env.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  const browse = (path: string): request.Test => request(env.url).get(path).set('Accept', 'text/html,application/xhtml+xml,*/*;q=0.8');

  it.each(['/', '/index.html', '/commands', '/commands/0190-x?from=mail', '/login?next=%2Fcommands', '/apiary'])('answers %s with the page', async (path) => {
    const { text, headers } = await browse(path).expect(200).expect('Content-Type', 'text/html; charset=utf-8');
    expect(text).toContain('<app ngCspNonce="');
    expect(headers).toMatchObject({
      'cache-control': 'no-cache',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
  });

  it('puts a fresh nonce into the page and its policy with every answer, and allows nothing inline without it', async () => {
    const nonces = await Promise.all(
      [1, 2, 3].map(async () => {
        const { text, headers } = await browse('/').expect(200);
        const policy = headers['content-security-policy'] as string;
        const nonce = /script-src 'self' 'nonce-([^']+)'/.exec(policy)?.[1] ?? '';
        expect(Buffer.from(nonce, 'base64').length).toBeGreaterThanOrEqual(16);
        expect(policy).toContain(`style-src 'self' 'nonce-${nonce}'`);
        for (const part of ["default-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'self'", "form-action 'self'"]) {
          expect(policy.split('; ')).toContain(part);
        }
        expect(policy).not.toMatch(/unsafe|\*|https?:/);
        expect(text).not.toContain('CSP_NONCE');
        expect(text.split(`"${nonce}"`)).toHaveLength(3);
        return nonce;
      }),
    );
    expect(new Set(nonces).size).toBe(3);
  });

  it('lets hashed files be kept for ever, and others for a while', async () => {
    const script = await request(env.url).get('/main-ABCD1234.js').expect(200).expect('Content-Type', /javascript/);
    expect(script.headers).toMatchObject({ 'cache-control': 'public, max-age=31536000, immutable', 'x-content-type-options': 'nosniff' });
    const logo = await request(env.url).get('/assets/logo.svg').expect(200);
    expect(logo.headers).toMatchObject({ 'cache-control': 'public, max-age=3600' });
    await request(env.url).get('/assets/logo.svg').set('If-None-Match', logo.headers['etag'] as string).expect(304);
    await request(env.url).head('/').set('Accept', 'text/html').expect(200).expect('Content-Security-Policy', /nonce-/);
  });

  it.each(['/api', '/api/nothing', '/api/commands/x/y/z', '/health/nothing', '/metrics/nothing'])('answers %s with a problem, also to a browser', async (path) => {
    const { body } = await browse(path).expect(404).expect('Content-Type', /^application\/problem\+json/);
    expect(body).toMatchObject({ status: 404, code: 'not_found', requestId: expect.any(String) as string });
  });

  it('answers what asks for no page, a missing script say, with a problem', async () => {
    await request(env.url).get('/main-GONE0000.js').set('Accept', '*/*').expect(404).expect('Content-Type', /^application\/problem\+json/);
    await request(env.url).post('/commands').set('Accept', 'text/html').expect(404).expect('Content-Type', /^application\/problem\+json/);
  });

  it.each(['/../secret.txt', '/%2e%2e/secret.txt', '/..%2fsecret.txt', '/assets/../../secret.txt', '/assets/..%5c..%5csecret.txt', '//secret.txt', '/%00', '/%c0%ae%c0%ae/secret.txt'])(
    'gives away nothing outside its folder: %s',
    async (path) => {
      const { status, text } = await get(env.url, path);
      expect([200, 400, 404]).toContain(status);
      expect(text).not.toContain(SECRET);
      if (status === 200) expect(text).toContain('<app ngCspNonce="');
    },
  );

  it('keeps the API document and the health page working', async () => {
    await browse('/api/docs').expect(200).expect('Content-Type', /html/);
    await request(env.url).get('/api/docs/openapi.json').expect(200);
    await request(env.url).get('/health/live').expect(200, { status: 'ok' });
  });
});

describe('a server without a built console', () => {
  it('serves the API alone', async () => {
    const env = await TestEnvironment.create({ CONSOLE_DIR: join(tmpdir(), 'gwanje-no-such-folder') });
    try {
      await request(env.url).get('/').set('Accept', 'text/html').expect(404).expect('Content-Type', /^application\/problem\+json/);
      await request(env.url).get('/health/live').expect(200);
    } finally {
      await env.destroy();
    }
  });
});

/** Sends the path as it is: other clients tidy it up first. */
function get(url: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = rawRequest(url, { path, headers: { Accept: 'text/html' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    call.on('error', reject).end();
  });
}
