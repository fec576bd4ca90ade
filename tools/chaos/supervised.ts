import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { exitOf, hasExited, sleep, stopChild } from '../servers/process';
import { ROOT } from '../start/folder';

const RESTART_MS = 100;
/**
 * A start looks for PostgreSQL for most of a minute, twice, and gives up half a minute after the last word on a line that went silent. It fails
 * then, and the next one comes. An exception that nobody heard is found by its stack, however long the process had lived.
 */
const STARTING_MS = 180_000;

export interface Exit {
  at: number;
  /** The harness, or a kill point that it armed, ended it, or it had not begun yet. */
  wanted: boolean;
  how: string;
}

/** A program of this repository as a process of its own, started again whenever it ends, as an init system does. */
export class Supervised {
  readonly exits: Exit[] = [];
  private child?: ChildProcess;
  private stopping = false;
  private stopped = false;
  private held = false;
  /** Also for the process that comes next. */
  private readonly armed = new Map<string, number>();

  constructor(
    readonly name: string,
    private readonly program: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly folder: string,
  ) {}

  start(): void {
    const log = openSync(join(this.folder, `${this.name}.log`), 'a');
    const child = spawn(process.execPath, [join(__dirname, 'loader.cjs'), join(ROOT, this.program)], {
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        CHAOS_FOLDER: this.folder,
        ...this.env,
      },
      stdio: ['ignore', log, log, 'ipc'],
    });
    closeSync(log);
    const started = Date.now();
    this.child = child;
    child.on('error', () => undefined);
    for (const [arm, countdown] of this.armed) this.send({ arm, countdown });
    child.once('exit', (code, signal) => {
      // Nothing but the harness and its kill points sends SIGKILL here. A start may fail when what it needs is away; the next one comes.
      const wanted = this.stopping || signal === 'SIGKILL' || Date.now() - started < STARTING_MS;
      this.exits.push({ at: Date.now(), wanted, how: signal ?? `exit code ${code}` });
      if (!this.stopped && !this.held) setTimeout(() => !this.stopped && this.start(), RESTART_MS);
    });
  }

  get running(): boolean {
    return this.child !== undefined && !hasExited(this.child);
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  /** The power cut; it comes back by itself. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** The orderly stop; it comes back by itself. */
  async restart(): Promise<void> {
    this.stopping = true;
    await this.end('SIGTERM');
    this.stopping = false;
  }

  /** The power cut, and it stays away for a while. */
  async killFor(ms: number): Promise<void> {
    this.held = true;
    await this.end('SIGKILL');
    await sleep(ms);
    this.held = false;
    if (!this.stopped && !this.running) this.start();
  }

  /** Frozen as a whole: no word, no reset. */
  async pauseFor(ms: number): Promise<void> {
    const child = this.child;
    child?.kill('SIGSTOP');
    await sleep(ms);
    child?.kill('SIGCONT');
  }

  /** Ends itself by SIGKILL when it passes the kill point for the `countdown`-th time, until it is disarmed. */
  arm(point: string, countdown: number): void {
    this.armed.set(point, countdown);
    this.send({ arm: point, countdown });
  }

  /** One point, or all of them. */
  disarm(point?: string): void {
    if (point === undefined) this.armed.clear();
    else this.armed.delete(point);
    this.send({ disarm: point ?? true });
  }

  setClock(offsetMs: number): void {
    this.send({ clockOffset: offsetMs });
  }

  /** For good. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.stopping = true;
    this.stopped = true;
    if (!this.child) return;
    this.child.kill('SIGCONT');
    await stopChild(this.child, signal, { patience: 15_000 });
  }

  private send(message: object): void {
    if (this.child?.connected) this.child.send(message, () => undefined);
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child || hasExited(child)) return;
    child.kill(signal);
    await Promise.race([exitOf(child), sleep(15_000).then(() => child.kill('SIGKILL'))]);
    await exitOf(child);
  }
}
