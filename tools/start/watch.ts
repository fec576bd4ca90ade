import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { stopChild } from '../servers/process';
import { ROOT } from './folder';
import type { Launcher } from './launcher';

const NEST = join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
const NG = join('node_modules', '@angular', 'cli', 'bin', 'ng.js');

/** `npm run dev`: the server is built and started again after every change of its sources. */
export function watchServer(launcher: Launcher, env: NodeJS.ProcessEnv): Promise<void> {
  return runTool(launcher, 'server', [NEST, 'start', 'api', '--watch', '--preserveWatchOutput'], env);
}

/** `npm run dev`: the console with live reload, on a port of its own; its calls go to the server. */
export function watchConsole(launcher: Launcher, env: NodeJS.ProcessEnv): Promise<void> {
  return runTool(launcher, 'console', [NG, 'serve'], env);
}

/** The tools start programs of their own: all of them are one process group, and are stopped together. */
async function runTool(launcher: Launcher, name: string, args: string[], env: NodeJS.ProcessEnv): Promise<void> {
  launcher.check();
  const stdio = ['ignore', 'inherit', 'inherit'] as const;
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: [...stdio], detached: true });
  const signalAll = (signal: NodeJS.Signals): void => {
    if (child.pid && child.exitCode === null) process.kill(-child.pid, signal);
  };
  child.once('exit', (code) => void launcher.end(1, `The watcher of the ${name} ended (${code ?? 'signal'}).`));
  await launcher.own(`the watcher of the ${name}`, () =>
    Promise.resolve({
      stop: async () => {
        signalAll('SIGTERM');
        await stopChild(child, 'SIGTERM');
      },
      kill: () => signalAll('SIGKILL'),
    }),
  );
}
