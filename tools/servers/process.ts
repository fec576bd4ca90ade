import { type ChildProcess, execFileSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

export type Log = (line: string) => void;

/** A server that this process started. `kill` is for the impatient: it does not wait. */
export interface RunningServer {
  url: string;
  port: number;
  stop(): Promise<void>;
  kill(): void;
  /** Resolves when it runs no more, whoever ended it. */
  gone: Promise<void>;
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException | null)?.code;

export function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    // A zombie answers the signal, but holds nothing any more.
    return !/^State:\s+Z/m.test(readText(`/proc/${pid}/status`));
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The command line of a process, or '' where it cannot be read. */
export function commandOf(pid: number): string {
  const text = readText(`/proc/${pid}/cmdline`);
  if (text || process.platform === 'linux') return text.replaceAll('\0', ' ');
  try {
    return execFileSync('ps', ['-ww', '-o', 'command=', '-p', `${pid}`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString();
  } catch {
    return '';
  }
}

/** The working folder of a process; null where the system does not tell. */
export function folderOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return null;
  }
}

/** Ends a server that a killed launcher left behind, after 10 s with the harder signal. The caller has made sure that it is that server. */
export async function stopLeftOver(
  pid: number,
  name: string,
  signal: NodeJS.Signals,
  harder?: NodeJS.Signals,
): Promise<void> {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return;
    throw new Error(
      `${name} of an earlier start still runs (process ${pid}) and may not be stopped: ${messageOf(error)}`,
    );
  }
  for (const end = Date.now() + 10_000; isAlive(pid); await sleep(50)) {
    if (Date.now() < end) continue;
    if (harder) return stopLeftOver(pid, name, harder);
    throw new Error(`${name} of an earlier start (process ${pid}) did not stop within 10 s`);
  }
}

export const hasExited = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null;

export const exitOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => (hasExited(child) ? resolve() : child.once('exit', () => resolve())));

/** Sends the signal and waits for the exit; after `patience` ms the harder signal follows. */
export async function stopChild(
  child: ChildProcess,
  signal: NodeJS.Signals,
  { patience = 10_000, harder = 'SIGKILL' }: { patience?: number; harder?: NodeJS.Signals } = {},
): Promise<void> {
  if (hasExited(child)) return;
  const gone = exitOf(child);
  const timer = setTimeout(() => child.kill(harder), patience);
  child.kill(signal);
  await gone;
  clearTimeout(timer);
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
