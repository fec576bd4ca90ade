import { type ChildProcess, spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { freePort } from '../../../../tools/servers/ports';
import { hasExited, stopChild } from '../../../../tools/servers/process';
import { eventually } from './environment';

const ROOT = resolve(__dirname, '..', '..', '..', '..');
const MAIN = [join(ROOT, 'tools', 'jest', 'run-from-source.cjs'), join(ROOT, 'apps', 'api', 'src', 'main.ts')];
/** A start compiles the server's sources on a machine that may be busy with other tests. */
const START_MS = 60_000;

/** The server as it runs beside others: a process of its own. */
export class ServerProcess {
  private log = '';

  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text: Buffer) => (this.log += text.toString()));
  }

  /** Resolves when it is ready to serve; rejects when it ends before, or is not ready in time. */
  static async start(settings: Record<string, string>, withinMs = START_MS): Promise<ServerProcess> {
    const port = settings['PORT'] ?? String(await freePort());
    const env = { PATH: process.env['PATH'], NODE_ENV: 'production', HOST: '127.0.0.1', PORT: port, ...settings };
    const server = new ServerProcess(`http://127.0.0.1:${port}`, spawn(process.execPath, MAIN, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
    try {
      await eventually(() => server.requireReady(), withinMs);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  stop(): Promise<void> {
    return stopChild(this.child, 'SIGTERM');
  }

  /** What it has written until now. */
  get output(): string {
    return this.log;
  }

  /** How it ended: 0 is in order. */
  get exitCode(): number | null {
    return this.child.exitCode;
  }

  /** The power cut. */
  kill(): Promise<void> {
    return stopChild(this.child, 'SIGKILL');
  }

  private async requireReady(): Promise<void> {
    const ready = await fetch(`${this.url}/health/ready`).then(({ ok }) => ok, () => false);
    if (!ready) throw new Error(`the server ${hasExited(this.child) ? 'ended' : 'is not ready'}:\n${this.log.slice(-1_000)}`);
  }
}
