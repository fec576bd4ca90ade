import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { sleep } from '../servers/process';
import { type Holder, takeLock } from './lock';

export const ROOT = resolve(__dirname, '..', '..');

/** Longer than an orderly stop takes. */
const PATIENCE_MS = 40_000;

/** The data folder of this launcher: a second one with another port gets a folder of its own, and finds it again. */
export async function takeDataFolder(port: number, say: (line: string) => void): Promise<string> {
  const chosen = process.env['DATA_DIR'];
  const first = chosen ? resolve(chosen) : join(ROOT, '.gwanje', 'data');
  const second = `${first}-${port}`;
  const wanted = !chosen && existsSync(second) ? second : first;
  const holder = await lock(wanted, port, say);
  if (!holder) return wanted;
  const inUse = `${wanted} is in use by another Gwanje (process ${holder.pid}, port ${holder.note})`;
  if (chosen) throw new Error(`${inUse}: choose another DATA_DIR`);
  // A folder is made for another port only: for the same one it would hide the first the next time.
  if (wanted === second || holder.note === `${port}`)
    throw new Error(`${inUse}: stop that one, or choose another port with PORT=${port + 1} npm start`);
  const other = await lock(second, port, say);
  if (other) throw new Error(`${second} is in use (process ${other.pid}): choose another PORT or DATA_DIR`);
  say(`${inUse}: this one keeps its data in ${second}`);
  return second;
}

/** Null when the folder is ours now, else who holds it. One that is about to leave is waited for. */
async function lock(folder: string, port: number, say: (line: string) => void): Promise<Holder | null> {
  mkdirSync(folder, { recursive: true });
  // As root the database runs as `nobody`, who passes through without listing.
  chmodSync(folder, process.getuid?.() === 0 ? 0o711 : 0o700);
  const file = lockOf(folder);
  const end = Date.now() + PATIENCE_MS;
  let holder = takeLock(file, `${port}`);
  if (holder?.stopping) say(`Waiting for the start before this one (process ${holder.pid}) to stop …`);
  for (; holder?.stopping && Date.now() < end; holder = takeLock(file, `${port}`)) await sleep(100);
  if (!holder) process.once('exit', () => rmSync(file, { force: true }));
  return holder;
}

export const lockOf = (folder: string): string => join(folder, 'launcher.pid');

/** A secret made once and kept for the owner alone. */
export function keep(file: string, make: () => string): { value: string; isNew: boolean } {
  const known = recall(file);
  if (known) return { value: known, isNew: false };
  const value = make();
  remember(file, value);
  return { value, isNew: true };
}

export function recall(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() || null : null;
}

export function remember(file: string, value: string): void {
  writeFileSync(file, `${value}\n`, { mode: 0o600 });
}
