import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { realPath } from '../policy/real-path';
import { wait } from '../waiting';

const RETRY_MS = 200;

/**
 * Makes this process the only agent of its data folder until it ends, however it ends: two would both take up what the
 * journal holds. An agent that is just stopping is waited for; rejects when it is still there after `patienceMs`.
 */
export async function lockFolder(folder: string, patienceMs = 15_000): Promise<void> {
  const name = `gwanje-agent-${createHash('sha256').update(realPath(folder)).digest('hex').slice(0, 32)}`;
  for (const end = performance.now() + patienceMs; !(await listen(address(name))); await wait(RETRY_MS)) {
    if (performance.now() > end) throw new Error(`another agent works with the folder ${folder}`);
  }
}

/** Something that the system itself takes back when its process ends. */
function address(name: string): string {
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`;
  return process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`);
}

function listen(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer((visitor) => visitor.destroy());
    server.once('listening', () => resolve(true));
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      clearStale(path, () => resolve(false));
    });
    server.listen(path).unref();
  });
}

/** A socket's file, unlike the others, stays behind a killed process. */
function clearStale(path: string, done: () => void): void {
  if (!path.endsWith('.sock')) return done();
  const probe = connect(path, () => {
    probe.destroy();
    done();
  });
  probe.once('error', () => {
    rmSync(path, { force: true });
    done();
  });
}
