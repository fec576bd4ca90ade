import { BrowserPage } from './support/browser';
import { BROWSER, CONSOLE_DIR, describeConsole, logIn, rightEdge, seriousFaults } from './support/console';
import { eventually, TestEnvironment } from './support/environment';
import { HookReceiver, isSigned } from './support/hook-receiver';

/** A browser on a machine that does other things, too. */
jest.setTimeout(120_000);

describeConsole('alerts in a browser', () => {
  let env: TestEnvironment;
  let window: BrowserPage;
  let receiver: HookReceiver;
  let address: string;

  beforeAll(async () => {
    receiver = await HookReceiver.start();
    env = await TestEnvironment.create({ CONSOLE_DIR, ALERT_WEBHOOK_ALLOW: '127.0.0.1/32', ALERT_RETRY_MS: '50' });
    address = env.url.replace('127.0.0.1', 'localhost');
    window = await BrowserPage.open(BROWSER ?? '');
  });
  afterAll(async () => {
    await window?.close();
    await env?.destroy();
    await receiver?.stop();
  });

  it('are set up, arrive, and are seen: channel, secret, test, rule, alert, delivery', async () => {
    const { page } = window;
    const client = await env.client('till-7');
    await logIn(page, address);
    await page.goto(`${address}/alerts/channels`);
    await page.getByRole('button', { name: 'Add a channel' }).click();
    await page.getByLabel('Name', { exact: true }).fill('on call');
    await page.getByLabel('Address').fill('https://169.254.169.254/latest');
    await page.getByRole('button', { name: 'Create' }).click();
    await page.getByText('The address is not a public one').waitFor();
    await page.getByLabel('Address').fill(`${receiver.url}/hook`);
    await page.getByRole('button', { name: 'Create' }).click();
    const secret = (await page.locator('gw-shown-once pre').textContent()) ?? '';
    expect(secret).toMatch(/^gwh_/);
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByRole('button', { name: 'Send a test to on call' }).click();
    await page.getByText('The test is on its way').waitFor();
    await eventually(() => expect(receiver.received).toHaveLength(1));
    expect(receiver.received.every((one) => isSigned(one, secret))).toBe(true);

    receiver.always = 500;
    await page.getByRole('link', { name: 'Rules' }).click();
    await page.getByRole('button', { name: 'Add a rule' }).click();
    await page.getByLabel('Name', { exact: true }).fill('tills wait');
    await page.getByLabel('What to wait for').click();
    await page.getByRole('option', { name: 'Many commands wait' }).click();
    await page.getByLabel('More than so many commands').fill('0');
    await page.getByLabel('Only this client').fill('till-7');
    await page.getByLabel('Channels').click();
    await page.getByRole('option', { name: 'on call' }).click();
    await page.keyboard.press('Escape');
    expect(await seriousFaults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('row').filter({ hasText: 'more than 0 commands wait' }).getByText('on call').waitFor();
    await env.command(client.id);

    await page.getByRole('navigation', { name: 'Alerts' }).getByRole('link', { name: 'Alerts' }).click();
    await page.getByRole('row').filter({ hasText: 'tills wait' }).getByText('Open').waitFor();
    await eventually(async () => expect(await env.sql(`SELECT FROM alert_deliveries WHERE state = 'failed'`)).toHaveLength(1), 60_000);
    receiver.always = undefined;
    await page.getByRole('link', { name: 'Deliveries' }).click();
    const failed = page.getByRole('row').filter({ hasText: 'Answered 500' });
    await failed.getByRole('button', { name: 'Try again: on call' }).click();
    await page.getByText('It is tried again.').waitFor();
    await eventually(() => expect(receiver.messages.at(-1)).toMatchObject({ kind: 'backlog', state: 'firing' }));
    await page.getByRole('button', { name: 'Refresh' }).click();
    await page.getByRole('row').filter({ hasText: 'tills wait' }).getByText('Delivered').waitFor();
    // What the browser itself notes is the address that was refused.
    expect(window.complaints.filter((complaint) => !/400/.test(complaint))).toEqual([]);
  });

  it('fit every window, and please axe in both themes and languages', async () => {
    const { page } = window;
    for (const path of ['/alerts', '/alerts/rules', '/alerts/channels', '/alerts/deliveries']) {
      for (const language of ['en', 'ko']) {
        await page.evaluate(`localStorage.setItem('gwanje.language', '${language}')`);
        await page.goto(address + path);
        await page.getByRole('main').locator('table').waitFor();
        for (const width of [360, 850, 1280, 2560]) {
          await page.setViewportSize({ width, height: 800 });
          expect({ path, width, isWithin: (await rightEdge(page)) <= width }).toEqual({ path, width, isWithin: true });
        }
        for (const scheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme: scheme });
          expect([path, language, scheme, ...(await seriousFaults(page))]).toEqual([path, language, scheme]);
        }
      }
    }
  });
});
