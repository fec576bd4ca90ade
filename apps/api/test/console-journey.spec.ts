import type { Page } from 'playwright-core';
import { BrowserPage } from './support/browser';
import { BROWSER, CONSOLE_DIR, describeConsole, rightEdge } from './support/console';
import { ADMIN, eventually, TestEnvironment } from './support/environment';

/** A browser on a machine that does other things, too. */
jest.setTimeout(120_000);

describeConsole('the console in a browser', () => {
  let env: TestEnvironment;
  let window: BrowserPage;
  let page: Page;
  /** Chromium takes a Secure cookie over plain HTTP from `localhost` only. */
  let address: string;

  beforeAll(async () => {
    env = await TestEnvironment.create({ CONSOLE_DIR });
    address = env.url.replace('127.0.0.1', 'localhost');
    window = await BrowserPage.open(BROWSER ?? '');
    page = window.page;
  });
  afterAll(async () => {
    await window?.close();
    await env?.destroy();
  });

  it('leads from the log-in over a live command to the log-out, in two languages, without a complaint of the browser', async () => {
    const client = await env.client('till-7');
    const id = await env.command(client.id, { payload: { echo: '<b>안녕</b>' } });

    await page.goto(`${address}/commands?action=noop`);
    await page.getByLabel('E-mail').fill(ADMIN.email);
    await page.getByLabel('Password').fill(ADMIN.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.waitForURL(`${address}/commands?action=noop`);
    const row = page.getByRole('row').filter({ hasText: 'till-7' });
    await row.getByText('Pending').waitFor();

    const agent = await env.connect(client);
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([id]));
    await agent.post(`/api/commands/${id}/output`, { chunks: [{ seq: 0, stream: 'stdout', text: 'printed <i>this</i>' }] });
    await agent.post(`/api/commands/${id}/result`, { success: true, data: { echo: '<b>안녕</b>' }, durationMs: 4200 });
    await row.getByText('Completed').waitFor();
    await row.getByText('4.2 sec').waitFor();

    await page.getByRole('button', { name: /^Settings and account/ }).click();
    await page.getByRole('menuitemradio', { name: '한국어' }).click();
    await page.getByRole('heading', { name: '명령' }).waitFor();
    await row.getByText('완료').waitFor();
    expect(await page.locator('html').getAttribute('lang')).toBe('ko');

    await row.getByRole('link').click();
    await page.waitForURL(`${address}/commands/${id}`);
    await page.getByText('"echo": "<b>안녕</b>"').first().waitFor();
    await page.getByText('printed <i>this</i>').waitFor();
    expect(await page.getByRole('listitem').count()).toBe(3);

    // A deep link, with the session of the cookie.
    await page.reload();
    await page.getByText('printed <i>this</i>').waitFor();
    expect(await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })')).not.toMatch(/ey[A-Za-z0-9_-]+\./);
    expect(await page.evaluate('document.cookie')).toBe('');

    await page.getByRole('button', { name: /설정과 계정$/ }).click();
    await page.getByRole('menuitem', { name: '로그아웃' }).click();
    await page.getByRole('button', { name: '로그인' }).waitFor();
    await page.goto(`${address}/commands`);
    await page.getByRole('button', { name: '로그인' }).waitFor();

    expect(window.complaints).toEqual([]);
  });

  it('keeps its pages within the window, from a telephone to a wall screen', async () => {
    const client = await env.client('a-client-with-quite-a-long-name-in-the-warehouse-behind-the-hill');
    const id = await env.command(client.id, { priority: 10 });
    const agent = await env.connect(client);
    await eventually(() => expect(agent.received).toHaveLength(1));
    await agent.post(`/api/commands/${id}/result`, { success: false, error: 'jam '.repeat(50) + 'x'.repeat(200) });
    await page.goto(`${address}/login?next=%2Fcommands`);
    await page.getByLabel('이메일').fill(ADMIN.email);
    await page.getByLabel('비밀번호').fill(ADMIN.password);
    await page.keyboard.press('Enter');
    await page.getByRole('row').filter({ hasText: 'till-7' }).waitFor();
    for (const path of ['/overview', '/clients', '/clients/till-7', '/commands', '/commands/new', `/commands/${id}`, '/system', '/nowhere']) {
      await page.goto(address + path);
      await page.getByRole('main').locator('h1, h2').first().waitFor();
      if (path === '/commands') await page.getByRole('row').filter({ hasText: 'jam' }).waitFor();
      for (const width of [360, 850, 1280, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        const edge = await rightEdge(page);
        expect({ path, width, isWithin: edge <= width }).toEqual({ path, width, isWithin: true });
      }
    }
  });
});
