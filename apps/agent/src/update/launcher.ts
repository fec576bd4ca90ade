import { type ChildProcess, spawn } from 'node:child_process';
import { wait } from '../waiting';
import type { VersionStore } from './version-store';

/** How an agent ends that has put a new version in its place. */
export const RESTART_CODE = 75;
/** Tells an agent that a launcher watches it. */
export const LAUNCHED = 'GWANJE_LAUNCHED';
/** What an agent tells its launcher. */
export const CONNECTED = 'connected';
const PAUSE_MS = 1_000;

/**
 * Starts the agent that is to run, and again when a new one is there. A trial that has no connection in time, or ends before it has one,
 * gives way to what ran before. It must never do an agent's work itself. Answers the code to end with.
 */
export async function launch(versions: VersionStore, trialMs: number, say: (line: string) => void): Promise<number> {
  let child: ChildProcess | undefined;
  let stopping = false;
  const stop = (): void => {
    stopping = true;
    child?.kill('SIGTERM');
  };
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.on(event, stop);
  for (;;) {
    // It may be asked to stop while nothing runs.
    if (stopping) return 0;
    const { version, file, isTrial } = versions.choose();
    if (isTrial) say(`version ${version} is tried`);
    child = spawn(process.execPath, [...process.execArgv, file], {
      env: { ...process.env, [LAUNCHED]: '1' },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const { code, hadConnection } = await watch(child, isTrial ? trialMs : null, versions);
    if (stopping || (code !== RESTART_CODE && (!isTrial || hadConnection))) return typeof code === 'number' ? code : 1;
    if (code === RESTART_CODE) continue;
    say(`version ${version} had no connection: ${code === 'late' ? 'not in time' : `it ended with ${code}`}`);
    if (code === 'late') versions.reject('late');
    else await wait(PAUSE_MS);
  }
}

/** Until it ends, or is ended because it had no connection within `trialMs`. */
function watch(
  child: ChildProcess,
  trialMs: number | null,
  versions: VersionStore,
): Promise<{ code: number | 'late'; hadConnection: boolean }> {
  return new Promise((resolve) => {
    let hadConnection = false;
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, trialMs ?? 0);
    if (trialMs === null) clearTimeout(timer);
    child.on('message', (said) => {
      if (said !== CONNECTED || hadConnection || isLate) return;
      hadConnection = true;
      clearTimeout(timer);
      if (trialMs !== null) versions.confirm();
    });
    const end = (code: number | null): void => {
      clearTimeout(timer);
      resolve({ code: isLate ? 'late' : (code ?? 1), hadConnection });
    };
    child.once('exit', end);
    child.once('error', () => end(1));
  });
}
