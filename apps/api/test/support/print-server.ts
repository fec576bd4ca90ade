import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../../../../tools/servers/ports';
import { eventually } from './environment';

const run = promisify(execFile);
const PPD = '/usr/share/ppd/cups-pdf/CUPS-PDF_opt.ppd';
/** Where the virtual printer, as Debian sets it up, puts root's documents. */
const OUTPUT = join(homedir(), 'PDF');

export const PRINTING = { programs: ['lp', 'lpstat', 'lpadmin', 'cancel', 'cupsd'], files: [PPD, '/usr/lib/cups/backend/cups-pdf'], root: true };

/** A CUPS of its own, beside the machine's, with one virtual printer `PDF` and one `gone` that cannot be reached. */
export class PrintServer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly address: string,
  ) {}

  static async start(): Promise<PrintServer> {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-cups-'));
    // Filters run as an ordinary user, who has to pass through here.
    chmodSync(folder, 0o755);
    for (const name of ['root', 'root/ppd', 'spool', 'spool/tmp', 'cache', 'state', 'log']) mkdirSync(join(folder, name));
    const address = `127.0.0.1:${await freePort()}`;
    const open = 'Order allow,deny\nAllow all\n';
    writeFileSync(
      join(folder, 'cupsd.conf'),
      `Listen ${address}\nBrowsing No\nWebInterface No\nDefaultAuthType None\nPageLogFormat %j %P %C %{sides}\n` +
        `<Location />\n${open}</Location>\n<Location /admin>\n${open}</Location>\n<Policy default>\n<Limit All>\n${open}</Limit>\n</Policy>\n`,
    );
    const paths = { ServerRoot: 'root', RequestRoot: 'spool', CacheDir: 'cache', StateDir: 'state', TempDir: 'spool/tmp' };
    const logs = { AccessLog: 'log/access', ErrorLog: 'log/error', PageLog: 'log/page' };
    const files = Object.entries({ ...paths, ...logs }).map(([key, name]) => `${key} ${join(folder, name)}\n`);
    writeFileSync(join(folder, 'cups-files.conf'), `${files.join('')}SystemGroup root\n`);
    const child = spawn('cupsd', ['-f', '-c', join(folder, 'cupsd.conf'), '-s', join(folder, 'cups-files.conf')], {
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
      stdio: 'ignore',
    });
    const failed = once(child, 'error').then(([error]) => Promise.reject(error as Error));
    const server = new PrintServer(child, folder, address);
    try {
      await Promise.race([failed, eventually(async () => expect(await server.call('lpstat', '-r')).toContain('is running'), 20_000)]);
      await server.call('lpadmin', '-p', 'PDF', '-E', '-v', 'cups-pdf:/', '-P', PPD);
      await server.call('lpadmin', '-p', 'gone', '-E', '-v', 'beh:/1/1/1/nothing', '-P', PPD, '-o', 'printer-error-policy=abort-job');
      return server;
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async call(program: string, ...args: string[]): Promise<string> {
    const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin`, CUPS_SERVER: this.address, LC_ALL: 'C' };
    return (await run(program, args, { env })).stdout;
  }

  /** The lines of the page log: job, page or `total`, copies, sides. */
  get pages(): string[] {
    const file = join(this.folder, 'log', 'page');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  }

  /** What came out of the printer for a document of this unique title. */
  printed(title: string): string[] {
    if (!existsSync(OUTPUT)) return [];
    return readdirSync(OUTPUT).filter((name) => name.includes(title)).map((name) => join(OUTPUT, name));
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    if (this.child.exitCode === null && this.child.kill('SIGTERM')) await gone;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
