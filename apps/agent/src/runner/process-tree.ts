import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { wait } from '../waiting';

const MARK = 'GWANJE_COMMAND_ID';
const TERM_GRACE_MS = 2_000;
const GIVE_UP_MS = 5_000;

export interface SpawnOptions {
  cwd?: string;
  env?: Record<string, string>;
}

/** The mark in the environment is inherited, so it finds even descendants that left the process group. */
export function spawnMarked(commandId: string, file: string, args: string[], options: SpawnOptions = {}): ChildProcess {
  const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
  const {
    CLIENT_KEY: _key,
    OTEL_EXPORTER_OTLP_HEADERS: _headers,
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: _same,
    ...inherited
  } = process.env;
  return spawn(file, args, {
    cwd: options.cwd,
    env: { ...inherited, ...options.env, [MARK]: commandId },
    stdio,
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
}

/** Resolves to true when nothing of the tree is left, to false when the last SIGKILL had its time and something is. */
export async function killTree(commandId: string, pid?: number): Promise<boolean> {
  if (process.platform === 'win32') return killOnWindows(pid);
  signalAll('SIGTERM', commandId, pid);
  if (await isGone(commandId, pid, TERM_GRACE_MS)) return true;
  const until = performance.now() + GIVE_UP_MS - TERM_GRACE_MS;
  // Repeated, because a process may fork between the look and the signal.
  while (performance.now() < until) {
    signalAll('SIGKILL', commandId, pid);
    if (await isGone(commandId, pid, 200)) return true;
  }
  return false;
}

/** Linux only: elsewhere the environment of another process is not to be read. */
export function markedProcesses(commandId: string): number[] {
  if (process.platform !== 'linux') return [];
  const wanted = `${MARK}=${commandId}`;
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && environOf(pid).includes(wanted));
}

function environOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** A zombie still answers signals until somebody reaps it, which in a container may be never; it does nothing more. */
function groupLives(pid?: number): boolean {
  if (!pid || !signal(-pid, 0)) return false;
  if (process.platform !== 'linux') return true;
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    const [state, , group] = statOf(name);
    return group === String(pid) && state !== 'Z';
  });
}

/** The words after the program's name, which may hold anything but ends at the last bracket. */
function statOf(pid: string): string[] {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

async function isGone(commandId: string, pid: number | undefined, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  do {
    await wait(50);
    if (!groupLives(pid) && markedProcesses(commandId).length === 0) return true;
  } while (performance.now() < until);
  return false;
}

function signalAll(name: 'SIGTERM' | 'SIGKILL', commandId: string, pid?: number): void {
  if (pid) signal(-pid, name);
  for (const stray of markedProcesses(commandId)) signal(stray, name);
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

function killOnWindows(pid?: number): Promise<boolean> {
  if (!pid) return Promise.resolve(false);
  return new Promise((resolve) => {
    const killer = spawn('taskkill', ['/T', '/F', '/PID', String(pid)], { stdio: 'ignore', windowsHide: true });
    killer.once('error', () => resolve(false));
    killer.once('exit', (code) => resolve(code === 0));
  });
}
