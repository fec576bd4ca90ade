import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Launcher } from './launcher';
import { ROOT } from './folder';
import { takeLock } from './lock';

interface Target {
  name: string;
  sources: string[];
  output: string;
  command: string[];
}

const NEST = join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
const NG = join('node_modules', '@angular', 'cli', 'bin', 'ng.js');
const TSX = join('node_modules', 'tsx', 'dist', 'cli.mjs');
const COMMON = ['libs', 'package-lock.json', 'tsconfig.json'];

/** Builds what is missing or older than its sources, of all programs or of those named, two at a time where there are two processors. */
export async function buildAll(launcher: Launcher, names?: readonly string[]): Promise<void> {
  const wanted = targets().filter(({ name }) => names?.includes(name) ?? true);
  const waiting = wanted.filter((target) => existsSync(marker(target)) || !isFresh(target));
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target; target = waiting.shift()) await build(target, launcher);
  };
  const workers = Array.from({ length: Math.min(2, availableParallelism()) }, work);
  // All are awaited before the first fault is told: no compiler may go on writing behind it.
  for (const worker of await Promise.allSettled(workers)) if (worker.status === 'rejected') throw worker.reason;
}

async function build(target: Target, launcher: Launcher): Promise<void> {
  const interrupted = await takeMarker(target, launcher);
  // Another start may have built it meanwhile.
  if (interrupted || !isFresh(target)) {
    await launcher.step(`Building the ${target.name}`, () => run(target, launcher.signal));
    // The compilers leave unchanged output untouched: its own time would say "old" for ever.
    writeFileSync(stamp(target), '');
  }
  rmSync(marker(target));
}

/** One start at a time builds a target. True when a marker was left: that build did not end, and its output may be half written. */
async function takeMarker(target: Target, launcher: Launcher): Promise<boolean> {
  mkdirSync(join(ROOT, '.gwanje', 'built'), { recursive: true });
  let left = existsSync(marker(target));
  let holder = takeLock(marker(target));
  if (holder) launcher.say(`Waiting for another start (process ${holder.pid}) that builds the ${target.name} …`);
  for (; holder; holder = takeLock(marker(target))) {
    await launcher.pause(200);
    left = existsSync(marker(target));
  }
  return left;
}

function targets(): Target[] {
  const nest = (name: string): Target => ({
    name,
    sources: [join('apps', name), 'nest-cli.json', ...COMMON],
    output: join('dist', 'apps', name, 'main.js'),
    command: [NEST, 'build', name],
  });
  const bundle: Target = {
    name: 'agent as one file',
    sources: [join('apps', 'agent'), join('tools', 'agent-bundle'), 'deploy', 'package.json', ...COMMON],
    output: join('dist', 'agent', 'agent.js'),
    command: [TSX, join('tools', 'agent-bundle', 'main.ts')],
  };
  const list = [nest('api'), nest('agent'), bundle];
  const output = existsSync(join(ROOT, 'angular.json')) ? angularOutput() : null;
  if (output)
    // The longest first: the others fit beside it.
    list.unshift({
      name: 'console',
      sources: [join('apps', 'admin'), 'angular.json', ...COMMON],
      output,
      command: [NG, 'build'],
    });
  return list;
}

interface AngularFile {
  projects: Record<string, { architect?: { build?: { options?: { outputPath?: string | { base: string } } } } }>;
}

function angularOutput(): string | null {
  const { projects } = JSON.parse(readFileSync(join(ROOT, 'angular.json'), 'utf8')) as AngularFile;
  const [name, project] = Object.entries(projects)[0] ?? [];
  if (!name) return null;
  const path = project?.architect?.build?.options?.outputPath ?? join('dist', name);
  return typeof path === 'string' ? path : path.base;
}

function isFresh(target: Target): boolean {
  const output = join(ROOT, target.output);
  if (!existsSync(output)) return false;
  const built = Math.max(statSync(output).mtimeMs, existsSync(stamp(target)) ? statSync(stamp(target)).mtimeMs : 0);
  return target.sources.every((path) => newest(join(ROOT, path)) <= built);
}

const stamp = (target: Target): string => join(ROOT, '.gwanje', 'built', target.name);
const marker = (target: Target): string => `${stamp(target)}.unfinished`;

function newest(path: string): number {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return path.endsWith('.spec.ts') ? 0 : stat.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), 0);
}

/** The output of a build is shown only when it fails. */
function run({ name, command }: Target, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const [file = '', ...args] = command;
    const child = spawn(process.execPath, [join(ROOT, file), ...args], {
      cwd: ROOT,
      signal,
      env: { ...process.env, NG_CLI_ANALYTICS: 'false' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const collect = (text: Buffer): void => void (output += text.toString());
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) return resolve();
      if (!signal.aborted) console.error(output);
      reject(new Error(`the build of the ${name} failed, see above`));
    });
  });
}
