import { type ChildProcess, fork, type ForkOptions } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandOf, isAlive, messageOf, sleep, stopChild, stopLeftOver } from '../servers/process';
import { ROOT, recall } from './folder';

export interface Owned {
  stop(): Promise<void>;
  kill(): void;
}

/** Runs first in each program: if the launcher is killed, the channel to it breaks and the program ends in order. */
const END_WITH_LAUNCHER =
  'data:text/javascript,process.on("disconnect",()=>{' +
  'process.kill(process.pid,"SIGTERM");setTimeout(()=>process.kill(process.pid,"SIGKILL"),1e4).unref()});' +
  'process.channel?.unref()';

/** Stops the work in progress without a word: the stop has been announced already. */
export class Stopped extends Error {}

/** Keeps what was started, and stops it in the opposite order. */
export class Launcher {
  private readonly owned: { name: string; handle: Owned }[] = [];
  private readonly aborter = new AbortController();
  private starting: Promise<unknown> = Promise.resolve();
  private stoppedAt = 0;
  private ending?: Promise<void>;
  private stopping?: Owned;

  get signal(): AbortSignal {
    return this.aborter.signal;
  }

  say(line: string): void {
    console.log(line);
  }

  /** Tells what is being done, again every few seconds, and how long it took if that was long. */
  async step<T>(doing: string, work: () => Promise<T>): Promise<T> {
    this.check();
    const start = Date.now();
    const seconds = (): string => `${Math.round((Date.now() - start) / 1000)} s`;
    this.say(`${doing} …`);
    const timer = setInterval(() => this.signal.aborted || this.say(`${doing} … ${seconds()}`), 5_000);
    try {
      const result = await work();
      if (Date.now() - start > 1_000 && !this.signal.aborted) this.say(`${doing}: done in ${seconds()}`);
      return result;
    } finally {
      clearInterval(timer);
    }
  }

  /** Starts a server that has to be stopped at the end; one of the same name takes the place of the one before. */
  async own<T extends Owned>(name: string, start: () => Promise<T>): Promise<T> {
    this.check();
    const started = start();
    this.starting = started;
    const handle = await started;
    const place = this.owned.find((one) => one.name === name);
    if (place) place.handle = handle;
    else this.owned.push({ name, handle });
    this.check();
    return handle;
  }

  /** Starts one of our own programs on this data folder; if it ends by itself, everything is stopped. */
  async program(
    name: string,
    file: string,
    folder: string,
    env: NodeJS.ProcessEnv,
    flags: readonly string[] = [],
  ): Promise<ChildProcess> {
    this.check();
    // execArgv: the loader of this launcher is not for the built programs. The argument tells whose program it is.
    const options: ForkOptions = {
      cwd: ROOT,
      env,
      execArgv: [...flags, '--import', END_WITH_LAUNCHER],
      stdio: 'inherit',
    };
    const child = fork(file, [markOf(folder)], options);
    if (child.pid !== undefined) writeFileSync(pidFile(folder, name), `${child.pid}\n`);
    child.on('error', (error) => void this.end(1, `The ${name} could not be started: ${error.message}`));
    child.once('exit', (code, signal) => void this.onExit(name, code, signal));
    const stop = async (): Promise<void> => {
      await stopChild(child, 'SIGTERM');
      rmSync(pidFile(folder, name), { force: true });
    };
    await this.own(`the ${name}`, () => Promise.resolve({ stop, kill: () => void child.kill('SIGKILL') }));
    return child;
  }

  check(): void {
    if (this.stoppedAt > 0) throw new Stopped();
  }

  /** Waits unless everything is being stopped. */
  async pause(ms: number): Promise<void> {
    await sleep(ms);
    this.check();
  }

  watchSignals(): void {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (this.stoppedAt === 0) return void this.end(0, 'Stopping …');
        // npm passes Ctrl-C on although the terminal has sent it already: that one is not a second Ctrl-C.
        if (Date.now() - this.stoppedAt > 500) this.killAll();
      });
    }
    // The terminal may be gone (SIGHUP): what cannot be printed must not prevent the stop.
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  }

  /** Stops everything and ends the process. */
  end(exitCode: number, why?: string): Promise<void> {
    this.ending ??= this.stopAll(exitCode, why);
    return this.ending;
  }

  private async stopAll(exitCode: number, why?: string): Promise<void> {
    this.stoppedAt = Date.now();
    if (why) (exitCode === 0 ? console.log : console.error)(`\n${why}`);
    this.aborter.abort();
    // A server in the middle of its start joins the list first.
    await this.starting.catch(() => undefined);
    await sleep(0);
    for (let last = this.owned.pop(); last; last = this.owned.pop()) {
      const { name, handle } = last;
      this.stopping = handle;
      await handle.stop().catch((error: unknown) => console.error(`  ${name} did not stop: ${messageOf(error)}`));
    }
    if (exitCode === 0) this.say('Stopped.');
    process.exit(exitCode);
  }

  private killAll(): void {
    console.error('Killed: not everything could finish its work.');
    this.stopping?.kill();
    for (const { handle } of this.owned) handle.kill();
    process.exit(130);
  }

  private async onExit(name: string, code: number | null, signal: NodeJS.Signals | null): Promise<void> {
    // Ctrl-C in a terminal reaches the programs too, perhaps before the launcher has seen it.
    await sleep(250);
    if (this.stoppedAt > 0) return;
    const how = signal ? `was ended by ${signal}` : `ended by itself with code ${code ?? '?'}`;
    await this.end(1, `The ${name} ${how}: stopping everything.`);
  }
}

/** A killed launcher's programs need a moment to end: until then they hold the port and the agent's journal. */
export async function stopEarlierProgram(name: string, folder: string, say: (line: string) => void): Promise<void> {
  const file = pidFile(folder, name);
  const pid = Number(recall(file) ?? 0);
  if (isAlive(pid) && `${commandOf(pid).trim()} `.includes(` ${markOf(folder)} `)) {
    say(`The ${name} of an earlier start still runs (process ${pid}): stopping it`);
    await stopLeftOver(pid, `the ${name}`, 'SIGTERM', 'SIGKILL');
  }
  rmSync(file, { force: true });
}

const markOf = (folder: string): string => `--data=${folder}`;
const pidFile = (folder: string, name: string): string => join(folder, `${name}.pid`);
