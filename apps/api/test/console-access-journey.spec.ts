import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { generateSync } from 'otplib';
import type { Download, Page } from 'playwright-core';
import { BrowserPage } from './support/browser';
import { BROWSER, CONSOLE_DIR, describeConsole, rightEdge, seriousFaults } from './support/console';
import { ADMIN, eventually, TestEnvironment } from './support/environment';

const ROOT = resolve(__dirname, '../../..');
const PASSWORD = 'violet kettle drum';

/** A browser on a machine that does other things, too. */
jest.setTimeout(120_000);

describeConsole('access and audit in a browser', () => {
  let env: TestEnvironment;
  let window: BrowserPage;
  /** Chromium takes a Secure cookie over plain HTTP from `localhost` only. */
  let address: string;

  beforeAll(async () => {
    env = await TestEnvironment.create({ CONSOLE_DIR });
    address = env.url.replace('127.0.0.1', 'localhost');
    window = await BrowserPage.open(BROWSER ?? '');
  });
  afterAll(async () => {
    await window?.close();
    await env?.destroy();
  });

  const person = (name: string, roles: string[]): Promise<unknown> =>
    env.post('/api/users', { email: `${name}@example.com`, name, password: PASSWORD, roles }).expect(201);
  const fill = async (page: Page, email: string, password: string): Promise<void> => {
    await page.getByLabel('E-mail').fill(email);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
  };
  const logIn = async (page: Page, path: string, email = ADMIN.email, password = ADMIN.password): Promise<void> => {
    await page.goto(address + path);
    await fill(page, email, password);
  };
  const logOut = async (page: Page): Promise<void> => {
    await page.getByRole('button', { name: /^Settings and account/ }).click();
    await page.getByRole('menuitem', { name: 'Log out' }).click();
    await page.getByRole('button', { name: 'Log in' }).waitFor();
  };
  const saved = async (page: Page, click: () => Promise<void>): Promise<string> => {
    const [download]: [Download, unknown] = await Promise.all([page.waitForEvent('download'), click()]);
    const path = join(env.artifacts, download.suggestedFilename());
    await download.saveAs(path);
    return path;
  };

  it('lets an admin change a role, and somebody else’s open page feels it at once', async () => {
    await env.post('/api/roles', { name: 'clerk', permissions: ['commands.read', 'clients.read'] }).expect(201);
    await person('kim', ['clerk']);
    const kim = await window.another();
    await logIn(kim, '/commands', 'kim@example.com', PASSWORD);
    await kim.getByText('No command has been sent yet').waitFor();
    expect(await kim.getByRole('link', { name: 'Send a command' }).count()).toBe(0);

    const { page } = window;
    await logIn(page, '/access/roles');
    await page.getByLabel('clerk: Send commands').check();
    const changes = page.getByRole('region', { name: 'What will change' });
    await changes.getByText('may now: Send commands').waitFor();
    await changes.getByRole('button', { name: 'Save the changes' }).click();
    await page.getByText(/^Saved\. It holds at once/).waitFor();
    await kim.getByRole('link', { name: 'Send a command' }).first().waitFor();

    await page.getByLabel('clerk: Send commands').uncheck();
    await changes.getByText('may no longer: Send commands').waitFor();
    await changes.getByRole('button', { name: 'Save the changes' }).click();
    await kim.getByRole('link', { name: 'Send a command' }).first().waitFor({ state: 'detached' });
    // Built-in roles are there to be read.
    expect(await page.getByLabel('operator: Send commands').count()).toBe(0);
    await kim.context().close();
  });

  it('grants an action within a limit, and explains what it allows', async () => {
    const { page } = window;
    await env.client('till-1', { groups: ['shop'] });
    await person('lee', ['operator']);
    await page.goto(`${address}/access/grants?client=till-1`);
    await page.getByRole('button', { name: 'Add a grant' }).click();
    await page.getByLabel('Person', { exact: true }).fill('nobody@example.com');
    await page.getByLabel('print', { exact: true }).check();
    await page.getByRole('button', { name: 'Save the grant' }).click();
    await page.getByText('there is no such person').waitFor();
    expect(window.complaints.splice(0)).toEqual([expect.stringContaining('status of 400')]);
    await page.getByLabel('Person', { exact: true }).fill('lee@example.com');
    await page.getByRole('button', { name: 'Add a limit' }).click();
    await page.getByRole('combobox', { name: 'Parameter' }).click();
    await page.getByRole('option', { name: 'copies' }).click();
    await page.getByRole('combobox', { name: 'Rule' }).click();
    await page.getByRole('option', { name: 'at most' }).click();
    await page.getByLabel('Value').fill('10');
    await page.getByRole('button', { name: 'Save the grant' }).click();
    await page.getByText('print: copies at most 10').waitFor();
    expect((await env.get('/api/clients/till-1/permissions').expect(200)).body).toMatchObject({
      items: [{ user: 'lee@example.com', actions: ['print'], limits: { print: { copies: { maximum: 10 } } } }],
    });

    const payload = encodeURIComponent('{"file":"/a.pdf","copies":99}');
    await page.goto(`${address}/access/explain?user=lee@example.com&client=till-1&action=print&payload=${payload}`);
    await page.getByText('No, lee@example.com may not do this.').waitFor();
    await page.getByText(/refuses this payload: copies must be <= 10/).first().waitFor();
    await page.getByLabel(/^Payload/).fill('{"file":"/a.pdf","copies":9}');
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.getByText('Yes, lee@example.com may do this.').waitFor();
  });

  it('exports the audit log, filtered and whole; what is downloaded is verified', async () => {
    const { page } = window;
    await page.goto(`${address}/audit?action=roles.*`);
    await page.getByRole('row').filter({ hasText: 'Change a role' }).first().getByRole('link').click();
    await page.getByRole('cell', { name: 'commands.read, clients.read', exact: true }).waitFor();
    await page.getByRole('link', { name: 'Back to the list' }).click();
    await page.goto(`${address}/audit?action=roles.*`);
    await page.getByRole('row').filter({ hasText: 'Change a role' }).first().waitFor();
    await page.getByRole('button', { name: 'Export these' }).click();
    await page.getByRole('menuitem', { name: /^NDJSON/ }).click();
    await page.waitForURL(`${address}/audit/exports`);
    const exports = page.getByRole('list', { name: 'Exports' }).getByRole('listitem');
    await exports.first().getByText('Ready').waitFor();
    await page.getByRole('button', { name: /^CSV/ }).click();
    await eventually(async () => expect(await exports.count()).toBe(2));
    await exports.first().getByText('Ready').waitFor();

    const whole = await saved(page, () => exports.first().getByRole('button', { name: /^Download/ }).click());
    const some = await saved(page, () => exports.last().getByRole('button', { name: /^Download/ }).click());
    await page.getByRole('link', { name: 'Seals' }).click();
    await page.getByText('Every entry is sealed.').or(page.getByText(/wait for their seal/)).waitFor();
    const key = await saved(page, () => page.getByRole('button', { name: 'Download the public key' }).click());
    expect(await verify(whole, key)).toMatch(/^VALID: .* the whole log .* key as given/);
    expect(await verify(some, key)).toMatch(/^VALID: .* a choice of rows/);
    await logOut(page);
  });

  it('has no serious fault of accessibility on its pages, in both themes, and none leaves the window', async () => {
    const { page } = window;
    const { body: client } = await env.get('/api/audit?action=grants.set&limit=1').expect(200);
    const [entry] = (client as { items: { id: string }[] }).items;
    await logIn(page, '/profile');
    await page.getByRole('heading', { name: 'Profile' }).waitFor();
    const paths = [
      '/profile', '/access/users', '/access/users/new', '/access/users/lee@example.com', '/access/roles', '/access/grants', '/access/grants?client=till-1',
      '/access/explain?user=lee@example.com&client=till-1&action=print', '/audit', `/audit/${entry?.id ?? ''}`, '/audit/exports', '/audit/seals', '/login?error=openid_denied',
    ];
    const found: string[] = [];
    for (const path of paths) {
      await page.goto(address + path);
      await page.locator(path.startsWith('/login') ? 'h1' : 'gw-shell h1').first().waitFor();
      await page.locator('mat-progress-bar').first().waitFor({ state: 'detached' });
      for (const scheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        found.push(...(await seriousFaults(page)).map((fault) => `${path} (${scheme}): ${fault}`));
      }
      for (const width of [360, 850, 1280, 2560]) {
        await page.setViewportSize({ width, height: 800 });
        const edge = await rightEdge(page);
        if (edge > width) found.push(`${path}: ${edge} pixels wide in a window of ${width}`);
      }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    expect(found).toEqual([]);
    expect(window.complaints).toEqual([]);
    await page.goto(`${address}/profile`);
    await logOut(page);
  });

  it('sets a second factor up in the profile, and asks for it at the next log-in', async () => {
    await env.post('/api/roles', { name: 'guarded', permissions: ['commands.read'], requiresSecondFactor: true }).expect(201);
    await person('choi', ['guarded']);
    const { page } = window;
    await logIn(page, '/commands', 'choi@example.com', PASSWORD);
    await page.getByText('Your role demands a second factor.').waitFor();
    await page.getByRole('button', { name: 'Set up a second factor' }).click();
    const secret = (await page.getByLabel('Key', { exact: true }).innerText()).replaceAll(' ', '');
    await page.getByLabel('Code of the app').fill('12');
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByText('Type the six digits').waitFor();
    await page.getByLabel('Code of the app').fill(generateSync({ secret }));
    await page.getByRole('button', { name: 'Confirm' }).click();
    const codes = (await page.getByLabel('Recovery codes').locator('pre').innerText()).trim().split('\n');
    expect(codes).toHaveLength(10);
    await page.getByRole('button', { name: 'I have kept it' }).click();
    await page.getByRole('link', { name: 'Go on' }).click();
    await page.getByText('No command has been sent yet').waitFor();
    await logOut(page);

    // Codes are taken once; this stands for the half minutes until the next.
    await env.sql('UPDATE second_factors SET last_step = last_step - 10');
    await page.goto(`${address}/login?next=%2Fcommands`);
    await fill(page, 'choi@example.com', PASSWORD);
    await page.getByLabel('One-time code').fill(generateSync({ secret }));
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'Commands' }).waitFor();
    await logOut(page);
    await page.goto(`${address}/login?next=%2Fcommands`);
    await fill(page, 'choi@example.com', PASSWORD);
    await page.getByLabel('One-time code').fill(codes[0]?.toLowerCase() ?? '');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByRole('heading', { name: 'Commands' }).waitFor();
    await page.goto(`${address}/profile`);
    await page.getByText('Recovery codes left: 9').waitFor();
  });
});

/** What the verifier says, which has neither network nor database. */
async function verify(file: string, key: string): Promise<string> {
  const args = ['--import', 'tsx', join(ROOT, 'tools/audit/verify.ts'), file, '--public-key', key];
  return (await promisify(execFile)(process.execPath, args, { cwd: ROOT })).stdout;
}
