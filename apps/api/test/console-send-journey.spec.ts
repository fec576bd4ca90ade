import type { Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { Fleet } from '../../../bench/simulator/fleet';
import { BrowserPage } from './support/browser';
import { BROWSER, CONSOLE_DIR, describeConsole, logIn, seriousFaults } from './support/console';
import { eventually, TestEnvironment } from './support/environment';
import { RealAgent } from './support/real-agent';

const MACHINES = 200;

jest.setTimeout(120_000);

describeConsole('sending commands in a browser', () => {
  let env: TestEnvironment;
  let window: BrowserPage;
  let page: Page;
  let address: string;

  beforeAll(async () => {
    env = await TestEnvironment.create({ CONSOLE_DIR });
    address = env.url.replace('127.0.0.1', 'localhost');
    window = await BrowserPage.open(BROWSER ?? '');
    page = window.page;
    await logIn(page, address, '/commands');
  });
  afterAll(async () => {
    await window?.close();
    await env?.destroy();
  });

  const choose = async (action: string): Promise<void> => {
    await page.getByRole('combobox', { name: 'Action' }).click();
    await page.getByRole('option', { name: new RegExp(`· ${action}$`) }).click();
  };
  const name = async (machine: string): Promise<void> => {
    await page.getByRole('combobox', { name: 'Names or ids' }).fill(machine);
    await page.keyboard.press('Enter');
  };

  it('sends a program to a real agent, follows what it prints, and shows the result; the form outlives the server', async () => {
    const client = await env.client('till-1');
    const agent = await new RealAgent({ serverUrl: env.url, clientKey: client.clientKey, policy: { programs: ['sh'] } }).start();
    try {
      await page.goto(`${address}/commands/new`);
      await name('till-1');
      await page.getByText('1 machine', { exact: true }).waitFor();
      await choose('shell');
      await page.getByLabel('Program').fill('sh');
      await page.getByLabel('Arguments').fill(`-c\nfor n in $(seq 500); do echo "line $n <b>"; done; while [ ! -e ${agent.signal} ]; do sleep 0.05; done; echo over >&2`);

      await page.getByText('1 machine', { exact: true }).waitFor();
      await env.stopServer();
      const send = page.getByRole('main').getByRole('button', { name: 'Send' });
      const sure = async (): Promise<void> => {
        await send.click();
        await page.getByLabel(/Type 1/).fill('1');
        await page.getByRole('alertdialog').getByRole('button', { name: 'Send' }).click();
      };
      await sure();
      await page.getByRole('alert').filter({ hasText: 'cannot be reached' }).waitFor();
      expect(await page.getByLabel('Program').inputValue()).toBe('sh');
      await env.startServer();
      await sure();

      await page.waitForURL(/\/commands\/[0-9a-f-]{36}$/);
      await page.getByText('line 500 <b>').waitFor();
      await page.getByText('500 lines').waitFor();
      await page.getByRole('searchbox', { name: 'Search the output' }).fill('line 42');
      // 42 and 420 to 429.
      await page.getByText('11 found').waitFor();
      await page.getByText('line 42 <b>').waitFor();
      agent.go();
      await page.getByRole('status').getByText('Completed').waitFor({ timeout: 30_000 });
      await page.getByText('501 lines').waitFor();
      const { body } = await env.get('/api/commands?clientId=till-1').expect(200);
      // Sent twice, stored once.
      expect((body as { items: object[] }).items).toHaveLength(1);
    } finally {
      await agent.destroy();
    }
  });

  it('shows a picture as a picture', async () => {
    const client = await env.client('till-2');
    const agent = await env.connect(client);
    await page.goto(`${address}/commands/new?client=till-2&action=screenshot`);
    await page.getByText('1 machine', { exact: true }).waitFor();
    await page.getByRole('main').getByRole('button', { name: 'Send' }).click();
    await eventually(() => expect(agent.received).toHaveLength(1));
    const id = agent.received[0]?.id ?? '';
    const picture = PNG.sync.write(Object.assign(new PNG({ width: 40, height: 30 }), { data: Buffer.alloc(40 * 30 * 4, 120) }));
    const sent = await fetch(`${env.url}/api/commands/${id}/artifacts`, {
      method: 'POST', body: picture,
      headers: { Authorization: `Bearer ${client.clientKey}`, 'Content-Type': 'image/png', 'Content-Disposition': 'attachment; filename="screen.png"' },
    });
    expect(sent.status).toBe(201);
    await agent.post(`/api/commands/${id}/result`, { success: true, data: {} });
    const shown = page.getByRole('img', { name: /^Picture / });
    await shown.waitFor();
    expect(await page.evaluate(`[...document.querySelectorAll('figure img')].map((image) => [image.naturalWidth, image.naturalHeight])`)).toEqual([[40, 30]]);
  });

  it(`sends a batch to ${MACHINES} machines, and counts their answers live`, async () => {
    const identities = [];
    for (let n = 0; n < MACHINES; n++) {
      const { id, clientKey } = await env.client(`robot-${n}`, { groups: ['robots'] });
      identities.push({ id, name: `robot-${n}`, key: clientKey });
    }
    const fleet = new Fleet({ url: env.url, identities, transport: 'sse', conduct: 'full', output: false, workMs: 300, sockets: 32 });
    try {
      await fleet.connect(50);
      await page.goto(`${address}/commands/new?action=noop`);
      await page.getByRole('radio', { name: 'By group' }).check();
      await page.getByRole('textbox', { name: 'Groups' }).fill('robots');
      await page.keyboard.press('Enter');
      await page.getByText('200 machines', { exact: true }).waitFor();
      await page.getByRole('main').getByRole('button', { name: 'Send' }).click();
      await page.waitForURL(/\/commands\?batch=/);
      await page.getByText('200 of 200 ended').waitFor({ timeout: 60_000 });
      expect(await page.getByRole('progressbar', { name: 'Batch: noop' }).getAttribute('aria-valuenow')).toBe('100');
    } finally {
      fleet.close();
    }
  });

  it('cancels those that were chosen, one by one and all that are shown', async () => {
    const away = await env.client('away');
    const ids = [await env.command(away.id), await env.command(away.id), await env.command(away.id)];
    await page.goto(`${address}/commands?client=away`);
    await page.getByRole('checkbox', { name: 'Select noop on away' }).first().click();
    await page.getByRole('button', { name: 'Cancel them (1)' }).click();
    await page.getByText('1 done, 0 refused').waitFor();
    await page.getByRole('checkbox', { name: 'Select all that are shown' }).click();
    await page.getByRole('button', { name: 'Cancel them (2)' }).click();
    await page.getByText('2 done, 0 refused').waitFor();
    for (const id of ids) await env.reaches(id, 'cancelled');
    expect(page.url()).toBe(`${address}/commands?client=away`);
  });

  it('fits every window and pleases axe, in both themes', async () => {
    const { body } = await env.get('/api/commands?action=shell').expect(200);
    const shell = (body as { items: { id: string }[] }).items[0]?.id ?? '';
    for (const path of ['/commands', '/commands/new?action=print', '/commands/new?action=file_put', `/commands/${shell}`, '/system']) {
      await page.goto(address + path);
      await page.getByRole('main').locator('h1').waitFor();
      for (const width of [360, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        expect([path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([path, width]);
      }
      for (const scheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme: scheme });
        expect([path, scheme, ...(await seriousFaults(page))]).toEqual([path, scheme]);
      }
    }
  });

  it('without a complaint of the browser, but for the server that was stopped', () => {
    expect(window.complaints.filter((complaint) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/.test(complaint))).toEqual([]);
  });
});
