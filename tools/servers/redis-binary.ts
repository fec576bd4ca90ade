import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type Log, messageOf } from './process';

export interface RedisBinary {
  path: string;
  /** For LD_LIBRARY_PATH: the unpacked package finds its shared libraries there. */
  libraries?: string;
}

const run = promisify(execFile);
const CACHE = join(__dirname, '..', '..', '.gwanje', 'redis-bin');
let search: Promise<RedisBinary | null> | undefined;

/** The machine's own Redis, else Debian's or Ubuntu's unpacked below the project; null when there is none. */
export function findRedis(log?: Log, signal?: AbortSignal): Promise<RedisBinary | null> {
  search ??= onPath() ?? fromDebian(log, signal);
  return search;
}

function onPath(): Promise<RedisBinary> | null {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
      const path = join(folder, name);
      if (isExecutable(path)) return Promise.resolve({ path });
    }
  }
  return null;
}

async function fromDebian(log?: Log, signal?: AbortSignal): Promise<RedisBinary | null> {
  const kept = await usable(CACHE);
  if (kept) return kept;
  if (!existsSync('/usr/bin/apt-get') || !existsSync('/usr/bin/dpkg')) return null;
  log?.('Redis: none on this machine, fetching the packages of the distribution (once, nothing is installed)');
  const state = mkdtempSync(join(tmpdir(), 'gwanje-apt-'));
  const part = `${CACHE}.${process.pid}`;
  try {
    await download(state, signal);
    mkdirSync(part, { recursive: true });
    const packages = readdirSync(state).filter((name) => name.endsWith('.deb'));
    for (const name of packages) await run('dpkg', ['-x', join(state, name), part]);
    if (!(await usable(part))) throw new Error('the unpacked redis-server does not run here');
    rmSync(CACHE, { recursive: true, force: true });
    renameSync(part, CACHE);
    return await usable(CACHE);
  } catch (error) {
    signal?.throwIfAborted();
    log?.(`Redis: could not be fetched: ${messageOf(error).trim().split('\n').slice(-1).join('')}`);
    return null;
  } finally {
    rmSync(state, { recursive: true, force: true });
    rmSync(part, { recursive: true, force: true });
  }
}

/** With state folders of its own apt-get needs no root and leaves the machine's package lists alone. */
async function download(state: string, signal?: AbortSignal): Promise<void> {
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(state, folder), { recursive: true });
  const options = [
    `Dir::State::lists=${state}/lists`,
    `Dir::Cache=${state}/cache`,
    'Debug::NoLocking=true',
    'APT::Sandbox::User=root',
    'APT::Update::Post-Invoke::=',
    'Acquire::Languages=none',
    'Acquire::Retries=1',
    'Acquire::http::Timeout=10',
  ].flatMap((option) => ['-o', option]);
  const apt = async (...args: string[]): Promise<string> => {
    const env = { ...process.env, LC_ALL: 'C' };
    return (
      await run('apt-get', [...options, ...args], { cwd: state, timeout: 90_000, maxBuffer: 2 ** 24, env, signal })
    ).stdout;
  };
  await apt('update');
  // The plan names the missing libraries too.
  const plan = await apt('install', '--simulate', '--no-install-recommends', 'redis-server');
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].flatMap((match) => match[1] ?? []);
  await apt('download', ...(names.length > 0 ? names : ['redis-server', 'redis-tools']));
}

async function usable(root: string): Promise<RedisBinary | null> {
  // A link to redis-check-rdb in Debian: followed, not inspected.
  const path = join(root, 'usr', 'bin', 'redis-server');
  if (!isExecutable(path)) return null;
  const libraries = ['usr/lib', 'lib']
    .map((folder) => join(root, folder))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => [folder, ...triplets(folder)])
    .join(':');
  try {
    await run(path, ['--version'], { env: { ...process.env, LD_LIBRARY_PATH: libraries } });
    return { path, libraries };
  } catch {
    return null;
  }
}

const triplets = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.includes('-linux-'))
    .map((name) => join(folder, name));

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
