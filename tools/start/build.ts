import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Launcher } from './launcher';
import { ROOT } from './folder';

interface Target {
  name: string;
  sources: string[];
  output: string;
  command: string[];
}

const NEST = join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js');
const NG = join('node_modules', '@angular', 'cli', 'bin', 'ng.js');
const COMMON = ['libs', 'package-lock.json', 'tsconfig.json'];

/** Builds what is missing or older than its sources. */
export function buildAll(launcher: Launcher): Promise<void> {
  return build(
    launcher,
    targets().map(({ name }) => name),
  );
}

/** The same, only for the programs of these names. */
export async function build(launcher: Launcher, names: readonly string[]): Promise<void> {
  for (const target of targets().filter(({ name }) => names.includes(name))) {
    launcher.check();
    if (isFresh(target)) continue;
    launcher.say(`Building the ${target.name} …`);
    await run(target, launcher.signal);
    // The compilers leave unchanged output untouched: its own time would say "old" for ever.
    mkdirSync(join(ROOT, '.gwanje', 'built'), { recursive: true });
    writeFileSync(stamp(target), '');
  }
}

function targets(): Target[] {
  const nest = (name: string): Target => ({
    name,
    sources: [join('apps', name), 'nest-cli.json', ...COMMON],
    output: join('dist', 'apps', name, 'main.js'),
    command: [NEST, 'build', name],
  });
  const list = [nest('api'), nest('agent')];
  const output = existsSync(join(ROOT, 'angular.json')) ? angularOutput() : null;
  if (output)
    list.push({
      name: 'admin',
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
    const env = { ...process.env, NG_CLI_ANALYTICS: 'false' };
    const child = spawn(process.execPath, [join(ROOT, file), ...args], {
      cwd: ROOT,
      signal,
      env,
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
