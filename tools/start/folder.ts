import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { codeOf, commandOf, isAlive } from '../servers/process';

export const ROOT = resolve(__dirname, '..', '..');

/** The data folder of this launcher: a second one with another port gets a folder of its own. */
export function takeDataFolder(port: number, say: (line: string) => void): string {
  const chosen = process.env['DATA_DIR'];
  const first = chosen ? resolve(chosen) : join(ROOT, '.gwanje', 'data');
  const holder = lock(first);
  if (holder === null) return first;
  if (chosen) throw new Error(`${first} is in use by another Gwanje (process ${holder}): choose another DATA_DIR`);
  const second = `${first}-${port}`;
  say(`${first} is in use by another Gwanje (process ${holder}): this one keeps its data in ${second}`);
  const other = lock(second);
  if (other !== null)
    throw new Error(`${second} is in use as well (process ${other}): choose another PORT or DATA_DIR`);
  return second;
}

/** Null when the folder is ours now, else the process that holds it. */
function lock(folder: string): number | null {
  mkdirSync(folder, { recursive: true });
  // As root the database runs as `nobody`, who passes through without listing.
  chmodSync(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
  const file = join(folder, 'launcher.pid');
  for (;;) {
    try {
      writeFileSync(file, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      process.once('exit', () => rmSync(file, { force: true }));
      return null;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const pid = Number.parseInt(existsSync(file) ? readFileSync(file, 'utf8') : '', 10);
    // After a crash the number may belong to another program by now.
    if (pid !== process.pid && isAlive(pid) && /tools[\\/]start[\\/]main/.test(commandOf(pid))) return pid;
    rmSync(file, { force: true });
  }
}

/** A secret made once and kept for the owner alone. */
export function keep(folder: string, name: string, make: () => string): { value: string; isNew: boolean } {
  const known = recall(folder, name);
  if (known) return { value: known, isNew: false };
  const value = make();
  remember(folder, name, value);
  return { value, isNew: true };
}

export function recall(folder: string, name: string): string | null {
  const file = join(folder, name);
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || null : null;
}

export function remember(folder: string, name: string, value: string): void {
  writeFileSync(join(folder, name), `${value}\n`, { mode: 0o600 });
}
