import axe from 'axe-core';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { gzipSync } from 'node:zlib';
import { findBrowser } from './browser';
import { ADMIN, eventually } from './environment';

/** The built console. */
export const CONSOLE_DIR = resolve(__dirname, '../../../../dist/apps/admin/browser');
export const BROWSER = findBrowser();

/** What a journey through the console lacks here; empty when it can be made. */
export const lacking = [
  !BROWSER && 'no Chromium on this machine (or set CHROMIUM)',
  !existsSync(CONSOLE_DIR) && 'no built console: npm run build',
]
  .filter(Boolean)
  .join('; ');
const isRequired = (process.env['GWANJE_REQUIRE'] ?? '').split(/[\s,]+/).includes('chromium');

/** A `describe` that says why it is skipped, and that fails instead where `GWANJE_REQUIRE` names `chromium`. */
export function describeConsole(name: string, body: () => void): void {
  if (!lacking) describe(name, body);
  else if (isRequired) describe(name, () => it('can be looked at', () => expect(lacking).toBe('')));
  else describe(name, () => it.skip(`is not looked at here: ${lacking}`, () => undefined));
}

/** What changes its look step by step, and will have ended soon; what turns for ever is no transition. */
const UNDER_WAY = 'document.getAnimations().filter((one) => one instanceof CSSTransition && one.playState === "running").map((one) => one.transitionProperty)';

/** In English, as the first admin. */
export async function logIn(page: Page, address: string, path = '/'): Promise<void> {
  await page.goto(address + path);
  await page.getByLabel('E-mail').fill(ADMIN.email);
  await page.getByLabel('Password').fill(ADMIN.password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('navigation').waitFor();
}

/** The serious faults that axe finds on the page as it stands once its transitions have ended; half-way between two themes no colour is anybody's choice. */
export async function seriousFaults(page: Page): Promise<string[]> {
  await eventually(async () => expect(await page.evaluate(UNDER_WAY)).toEqual([]));
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run(document, { resultTypes: ["violations"] })');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`);
}

/** The rightmost pixel of what is there to see; what scrolls by itself is only as wide as its frame. */
export async function rightEdge(page: Page): Promise<number> {
  const parts = await page.evaluate<number>(`Math.ceil(Math.max(...[...document.querySelectorAll('main :is(h1, h2, p, td, button, a, mat-form-field, pre)')]
    .filter((part) => !part.closest('.scroll, .gw-unseen, cdk-virtual-scroll-viewport')).map((part) => part.getBoundingClientRect().right)))`);
  return Math.max(parts, await page.evaluate<number>('document.documentElement.scrollWidth'));
}

/** Bytes of these scripts of the console, each compressed as a web server does it. */
export function compressedSize(urls: Iterable<string>): number {
  return [...new Set(urls)].reduce((sum, url) => sum + gzipSync(readFileSync(join(CONSOLE_DIR, new URL(url).pathname))).length, 0);
}
