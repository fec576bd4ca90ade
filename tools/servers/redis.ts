import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { createRedisServer } from 'js-redis-server';
import { freePort } from './ports';
import { commandOf, exitOf, folderOf, hasExited, isAlive, type Log, messageOf, type RunningServer } from './process';
import { sleep, stopChild, stopLeftOver } from './process';
import { findRedis, type RedisBinary } from './redis-binary';

export interface RunningRedis extends RunningServer {
  kind: 'redis' | 'emulated';
}

/** Starts a real Redis on a free loopback port, or the one given; where none can be had, an emulation stands in, loudly. */
export async function startRedis(
  dataDir: string,
  log?: Log,
  { port: samePort, signal }: { port?: number; signal?: AbortSignal } = {},
): Promise<RunningRedis> {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const folder = realpathSync(dataDir);
  const pidFile = join(folder, 'redis.pid');
  await stopEarlier(folder, pidFile, log);
  const binary = await findRedis(log, signal);
  const port = samePort ?? (await freePort());
  return binary ? startReal(binary, folder, pidFile, port) : emulate(port);
}

async function startReal(binary: RedisBinary, folder: string, pidFile: string, port: number): Promise<RunningRedis> {
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no'];
  const logFile = join(folder, 'redis.log');
  const output = openSync(logFile, 'w', 0o600);
  const child = spawn(binary.path, options, {
    // Its folder is the working folder: a left-over one is known by it.
    cwd: folder,
    // A process group of its own: Ctrl-C reaches the launcher only, which stops the server in order.
    detached: true,
    stdio: ['ignore', output, output],
    env: { ...process.env, ...(binary.libraries && { LD_LIBRARY_PATH: binary.libraries }) },
  });
  closeSync(output);
  let spawnError = '';
  child.on('error', (error) => (spawnError = error.message));
  if (child.pid !== undefined) writeFileSync(pidFile, `${child.pid} ${port}\n`);
  const complaint = (): string | null =>
    hasExited(child) ? spawnError || readFileSync(logFile, 'utf8').trim().split('\n').slice(-3).join(' | ') : null;
  const url = `redis://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    await stopChild(child, 'SIGTERM');
    rmSync(pidFile, { force: true });
  };
  try {
    await waitUntilReady(url, complaint);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, port, kind: 'redis', gone: exitOf(child), stop, kill: () => void child.kill('SIGKILL') };
}

async function waitUntilReady(url: string, complaint: () => string | null): Promise<void> {
  for (const end = Date.now() + 15_000; ; await sleep(30)) {
    const redis = new Redis(url, { lazyConnect: true, retryStrategy: null, connectTimeout: 2_000 });
    redis.on('error', () => undefined);
    try {
      await redis.connect();
      await redis.ping();
      return;
    } catch (error) {
      const reason = complaint();
      if (reason !== null || Date.now() > end) throw new Error(`Redis did not start: ${reason ?? messageOf(error)}`);
    } finally {
      redis.disconnect();
    }
  }
}

/** A killed launcher cannot stop its Redis: the next start in the same folder does. */
async function stopEarlier(folder: string, pidFile: string, log?: Log): Promise<void> {
  if (!existsSync(pidFile)) return;
  const [pid = 0, port = 0] = readFileSync(pidFile, 'utf8').split(' ').map(Number);
  const command = commandOf(pid);
  // Redis shows its address in its title; the folder tells two of them apart where the system shows it.
  const ours = /redis|valkey/.test(command) && command.includes(`:${port}`) && (folderOf(pid) ?? folder) === folder;
  if (isAlive(pid) && ours) {
    log?.(`Redis: stopping the server of an earlier start (process ${pid})`);
    await stopLeftOver(pid, 'Redis', 'SIGTERM');
  }
  rmSync(pidFile, { force: true });
}

async function emulate(port: number): Promise<RunningRedis> {
  console.warn(
    [
      '',
      '  WARNING: there is no Redis on this machine and none could be fetched.',
      '  An emulation in JavaScript stands in, for a first look only: not for work that counts.',
      '  Install a real one (apt-get install redis-server, dnf install valkey, brew install redis),',
      '  or set REDIS_URL.',
      '',
    ].join('\n'),
  );
  const server = await createRedisServer({ port });
  const url = `redis://127.0.0.1:${server.port}`;
  // It is part of this process, and ends with it.
  const gone = new Promise<void>(() => undefined);
  return { url, port: server.port, kind: 'emulated', gone, stop: () => server.close(), kill: () => undefined };
}
