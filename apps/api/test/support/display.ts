import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const DRAWING = { programs: ['Xvfb', 'scrot', 'xsetroot'] };

/** A screen that nobody sees, on a free display number. */
export class VirtualDisplay {
  private constructor(
    private readonly child: ChildProcess,
    readonly name: string,
  ) {}

  static async start(width: number, height: number): Promise<VirtualDisplay> {
    const args = ['-displayfd', '3', '-screen', '0', `${width}x${height}x24`, '-nolisten', 'tcp', '-noreset'];
    const child = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
    const failed = Promise.race([once(child, 'error'), once(child, 'exit')]).then(([why]) => Promise.reject(new Error(`no Xvfb: ${String(why)}`)));
    const [number] = (await Promise.race([failed, once(child.stdio[3] as Readable, 'data')])) as [Buffer];
    return new VirtualDisplay(child, `:${number.toString().trim()}`);
  }

  /** Fills the screen with a chequered pattern of two colours. */
  async draw(foreground: string, background: string): Promise<void> {
    await run('xsetroot', ['-display', this.name, '-mod', '16', '16', '-fg', foreground, '-bg', background]);
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    if (this.child.kill('SIGTERM')) await gone;
  }
}
