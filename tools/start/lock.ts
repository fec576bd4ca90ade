import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { codeOf, commandOf, isAlive } from '../servers/process';

const STOPPING = 'stopping';

export interface Holder {
  pid: number;
  /** What it wrote beside its number. */
  note: string;
  /** It said that it is about to let go. */
  stopping: boolean;
}

/** Takes a lock file for this launcher. Null when it is ours now, else who holds it; that of a dead launcher is taken over. */
export function takeLock(file: string, note = '-'): Holder | null {
  for (;;) {
    try {
      writeFileSync(file, `${process.pid} ${note}\n`, { flag: 'wx', mode: 0o600 });
      return null;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const [number = '', theirs = '', state] = (existsSync(file) ? readFileSync(file, 'utf8') : '').trim().split(' ');
    const pid = Number(number);
    if (pid !== process.pid && isLauncher(pid)) return { pid, note: theirs, stopping: state === STOPPING };
    rmSync(file, { force: true });
  }
}

/** Tells whoever asks for the lock that waiting for it is worth while. */
export function announceEnd(file: string): void {
  writeFileSync(file, `${process.pid} - ${STOPPING}\n`, { mode: 0o600 });
}

/** After a crash the number may belong to another program by now. */
const isLauncher = (pid: number): boolean => isAlive(pid) && /tools[\\/]start[\\/]main/.test(commandOf(pid));
