import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Page } from 'playwright-core';
import { BrowserPage } from './support/browser';
import { BROWSER, compressedSize, CONSOLE_DIR, describeConsole, logIn, seriousFaults } from './support/console';
import { eventually, TestEnvironment } from './support/environment';
import { MACHINE_NODE } from './support/machine-node';

const run = promisify(execFile);
const MOST_SCRIPT_BYTES = 350_000;

/** A browser on a machine that does other things, too. */
jest.setTimeout(120_000);

describeConsole('the clients in the console', () => {
  let env: TestEnvironment;
  let window: BrowserPage;
  let page: Page;
  let address: string;

  beforeEach(async () => {
    env = await TestEnvironment.create({ CONSOLE_DIR });
    address = env.url.replace('127.0.0.1', 'localhost');
    window = await BrowserPage.open(BROWSER ?? '');
    page = window.page;
  });
  afterEach(async () => {
    await window?.close();
    await env?.destroy();
  });

  it('take in a machine by the line that the console shows, and let it go again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-machine-'));
    let agent: ChildProcess | undefined;
    try {
      await logIn(page, address, '/clients');
      await page.getByText('There is no client yet').waitFor();
      await page.getByRole('main').getByRole('link', { name: 'Enrol machines' }).last().click();
      await page.getByLabel('Groups').fill('seoul,');
      await page.getByRole('button', { name: 'Make a token' }).click();
      const line = await page.locator('code').filter({ hasText: 'curl' }).textContent();
      await page.getByText('For 1 more').waitFor();

      // Everything below one folder: nothing is put on the machine of the test.
      await run('sh', ['-c', line ?? ''], { cwd: folder, env: { ...process.env, GWANJE_PREFIX: folder } });
      const settings = join(folder, 'etc/gwanje/agent.env');
      agent = spawn(MACHINE_NODE, [`--env-file=${settings}`, join(folder, 'opt/gwanje-agent/agent.js')], { cwd: folder, stdio: 'ignore' });
      await page.getByRole('link', { name: `${hostname()} is here` }).click();
      await page.getByRole('heading', { name: hostname() }).waitFor();
      await page.locator('header').getByText('Online').waitFor();
      await page.getByText('No token is open').waitFor({ state: 'detached' });
      expect(statSync(settings).mode & 0o777).toBe(0o600);
      expect(readFileSync(settings, 'utf8')).toMatch(/^CLIENT_KEY='sk_\w+_\S+'$/m);

      await page.getByRole('link', { name: 'Send a command: noop' }).click();
      await page.getByRole('button', { name: 'Send' }).click();
      await page.locator('gw-state-chip').getByText('Completed').waitFor();
      await page.goBack();
      await page.getByRole('region', { name: 'Latest commands' }).getByText('Completed').waitFor();

      await page.getByLabel('Labels').fill('floor=3');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.getByRole('status').filter({ hasText: 'Saved' }).waitFor();
      await page.locator('dl').getByText('floor=3').waitFor();
      await page.getByRole('button', { name: 'Make a new key' }).click();
      await page.locator('code').filter({ hasText: /^sk_/ }).waitFor();
      await page.getByText('Valid until').waitFor();

      await page.getByRole('button', { name: 'Remove', exact: true }).click();
      await page.getByRole('alertdialog').getByRole('textbox').fill(hostname());
      await page.getByRole('alertdialog').getByRole('button', { name: 'Remove' }).click();
      await page.waitForURL(`${address}/clients`);
      await page.getByText('There is no client yet').waitFor();
      expect(window.complaints).toEqual([]);
    } finally {
      agent?.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('are one stream in all tabs, which goes on when a tab is closed', async () => {
    const streams: string[] = [];
    page.context().on('request', (request) => {
      if (request.url().endsWith('/api/events')) streams.push(request.headers()['last-event-id'] ?? '');
    });
    await logIn(page, address, '/clients');
    await page.getByRole('status').getByText('Live').waitFor();
    const other = await page.context().newPage();
    await other.goto(`${address}/clients`);
    await other.getByRole('status').getByText('Live').waitFor();
    await env.client('till-1');
    await page.getByRole('link', { name: 'till-1' }).waitFor();
    await other.getByRole('link', { name: 'till-1' }).waitFor();
    expect(streams).toEqual(['']);

    await page.close();
    await eventually(() => expect(streams).toHaveLength(2));
    expect(streams[1]).toMatch(/^\d+$/);
    await env.client('till-2');
    await other.getByRole('link', { name: 'till-2' }).waitFor();
    await other.getByRole('status').getByText('Live').waitFor();
    expect(streams).toHaveLength(2);
  });

  it('say since when they are not live, and catch up', async () => {
    await logIn(page, address, '/clients');
    await page.getByRole('status').getByText('Live').waitFor();
    await env.stopServer();
    await page.getByRole('status').getByText(/^Stale since \d+ sec$/).waitFor({ timeout: 20_000 });
    await env.startServer();
    await env.client('till-1');
    await page.getByRole('link', { name: 'till-1' }).waitFor({ timeout: 40_000 });
    await page.getByRole('status').getByText('Live').waitFor();
  });

  it('are found by the keyboard alone', async () => {
    await env.client('till-1', { groups: ['tills'] });
    await env.client('kiosk-1', { labels: { site: 'seoul' } });
    await logIn(page, address);
    await page.waitForURL(`${address}/overview`);
    await page.getByRole('heading', { name: 'Overview' }).waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press('m');
    await page.waitForURL(`${address}/clients`);
    await page.getByRole('link', { name: 'kiosk-1' }).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('till');
    await page.waitForURL(`${address}/clients?q=till`);
    await page.getByRole('link', { name: 'kiosk-1' }).waitFor({ state: 'detached' });
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Page, client or action' }).waitFor();
    await page.locator('[role=combobox]:focus').waitFor();
    await page.keyboard.type('kiosk');
    await page.getByRole('option', { name: 'kiosk-1' }).waitFor();
    expect(await seriousFaults(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'kiosk-1' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('Go to Clients').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  });

  it('fit every window, please axe in both themes and languages, and load little', async () => {
    const long = await env.client('a-client-with-quite-a-long-name-in-the-warehouse-behind-the-hill', {
      groups: ['everything-that-is-quite-far-away'],
      labels: { site: 'seoul', 'a-label-with-a-long-name': 'and-a-value-that-is-not-short-either' },
    });
    await env.command(long.id, { priority: 10 });
    await logIn(page, address);
    for (const path of ['/overview', '/clients', `/clients/${long.id}`, '/clients/new', '/clients/enrol', '/nowhere']) {
      const scripts: string[] = [];
      const note = (request: { url(): string }): void => void (request.url().endsWith('.js') && scripts.push(request.url()));
      page.on('request', note);
      for (const language of ['en', 'ko']) {
        await page.evaluate(`localStorage.setItem('gwanje.language', '${language}')`);
        await page.goto(address + path);
        await page.getByRole('main').locator('h1').waitFor({ state: 'attached' });
        await page.getByRole('progressbar').waitFor({ state: 'detached' });
        for (const width of [360, 850, 1280, 2560]) {
          await page.setViewportSize({ width, height: 800 });
          expect([path, width, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([path, width, width]);
        }
        for (const scheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme: scheme });
          expect([path, language, scheme, ...(await seriousFaults(page))]).toEqual([path, language, scheme]);
        }
      }
      page.off('request', note);
      expect(scripts.length).toBeGreaterThan(3);
      expect(compressedSize(scripts)).toBeLessThan(MOST_SCRIPT_BYTES);
    }
    expect(window.complaints).toEqual([]);
  });
});
