import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'];

/** The machine's own browser: `CHROMIUM`, or the first on the PATH. */
export function findBrowser(): string | null {
  const folders = (process.env['PATH'] ?? '').split(':');
  const candidates = [process.env['CHROMIUM'] ?? '', ...NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))];
  return candidates.find((path) => path && existsSync(path)) ?? null;
}

/** A page in a browser, and whatever it complained about: console errors, uncaught errors, breaches of the content policy. */
export class BrowserPage {
  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
    readonly complaints: string[],
  ) {}

  static async open(executablePath: string): Promise<BrowserPage> {
    const browser = await chromium.launch({ executablePath, args: FLAGS });
    const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') complaints.push(`${message.text()} (${message.location().url})`);
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    return new BrowserPage(browser, page, complaints);
  }

  /** A page of somebody else's: with cookies and storage of its own, in the same browser. */
  async another(): Promise<Page> {
    const context = await this.browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(10_000);
    return context.newPage();
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}
