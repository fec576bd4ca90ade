import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { loadConfig } from '../../apps/api/src/core/config/config';
import { createServer } from '../../apps/api/src/server';
import { findBrowser } from '../../apps/api/test/support/browser';
import { startPostgres } from '../servers/postgres';
import { startRedis } from '../servers/redis';
import { type Furnished, furnish } from './furnish';

const ROOT = resolve(__dirname, '..', '..');
const CONSOLE_DIR = join(ROOT, 'dist/apps/admin/browser');
const TO = join(ROOT, '.gwanje/screenshots');
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];
const LOOKS = [
  { language: 'en', theme: 'light', width: 1440 },
  { language: 'ko', theme: 'dark', width: 1440 },
  { language: 'ko', theme: 'light', width: 360 },
  { language: 'en', theme: 'dark', width: 360 },
] as const;

/** `npm run screenshots`: every page of the built console, with something on it, in both languages and themes, wide and narrow. */
async function main(): Promise<void> {
  const browser = findBrowser();
  if (!browser) throw new Error('There is no Chromium on this machine: install one, or set CHROMIUM');
  if (!existsSync(CONSOLE_DIR)) throw new Error('There is no built console: npm run build');
  const folder = mkdtempSync(join(tmpdir(), 'gwanje-screenshots-'));
  chmodSync(folder, 0o711);
  const postgres = await startPostgres(join(folder, 'postgres'), console.log, { fast: true });
  const redis = await startRedis(join(folder, 'redis'), console.log);
  const admin = { email: 'admin@example.com', password: randomUUID() };
  const config = loadConfig({
    DATABASE_URL: postgres.url, REDIS_URL: redis.url, JWT_SECRET: randomUUID() + randomUUID(), ARTIFACTS_DIR: join(folder, 'artifacts'), CONSOLE_DIR,
    AUDIT_KEY_FILE: join(folder, 'audit-key.pem'), ADMIN_EMAIL: admin.email, ADMIN_PASSWORD: admin.password, AUDIT_SEAL_MS: '200',
  });
  const app = await createServer(config, false);
  const window = await chromium.launch({ executablePath: browser, args: FLAGS });
  try {
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const furnished = await furnish(`http://127.0.0.1:${port}`, admin);
    mkdirSync(TO, { recursive: true });
    for (const look of LOOKS) {
      const context = await window.newContext({ locale: look.language, colorScheme: look.theme, viewport: { width: look.width, height: 900 } });
      await takeAll(await context.newPage(), `http://localhost:${port}`, admin, furnished, `${look.language}-${look.theme}-${look.width}`);
      await context.close();
    }
    furnished.leave();
    console.log(`Written: ${TO}`);
  } finally {
    await window.close();
    await app.close();
    await redis.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function takeAll(page: Page, url: string, admin: { email: string; password: string }, { pages }: Furnished, look: string): Promise<void> {
  const take = async (name: string): Promise<void> => {
    await page.waitForLoadState('load');
    await page.locator('mat-progress-bar[mode=indeterminate]').first().waitFor({ state: 'detached', timeout: 5_000 }).catch(() => undefined);
    await page.evaluate('document.fonts.ready.then(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))))');
    await page.screenshot({ path: join(TO, `${name}-${look}.png`), fullPage: true });
  };
  await page.goto(`${url}/login`);
  await take('login');
  await page.locator('input[type=email], input[autocomplete=username]').first().fill(admin.email);
  await page.locator('input[type=password]').fill(admin.password);
  await page.keyboard.press('Enter');
  await page.locator('nav').first().waitFor({ state: 'attached' });
  for (const [name, path] of Object.entries(pages)) {
    await page.goto(url + path);
    await page.locator('main :is(h1, h2)').first().waitFor();
    await take(name);
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
