import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describeWith } from '../../apps/api/test/support/programs';
import { eventually } from '../../apps/api/test/support/environment';
import { freePort } from '../servers/ports';
import { isAlive } from '../servers/process';

const ROOT = resolve(__dirname, '..', '..');
const START_MS = 240_000;

interface Started {
  child: ChildProcess;
  output(): string;
}

describeWith('curl', {
  programs: ['curl'],
  files: [join(ROOT, 'dist/apps/api/main.js'), join(ROOT, 'dist/apps/agent/main.js')],
})('npm start', () => {
  let folder: string;
  let env: NodeJS.ProcessEnv;
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    folder = join(mkdtempSync(join(tmpdir(), 'gwanje start-')), 'the data');
    // As root the database runs as `nobody`, who has to pass through here.
    chmodSync(join(folder, '..'), 0o711);
    const { PATH, HOME } = process.env;
    env = { PATH, HOME, DATA_DIR: folder, PORT: `${await freePort()}` };
  });

  afterAll(async () => {
    for (const child of running) child.kill('SIGTERM');
    for (const child of running) await ended(child);
    rmSync(join(folder, '..'), { recursive: true, force: true });
  });

  it(
    'serves a first command, the printed lines send the next one, and nothing is lost by a kill -9',
    async () => {
      const first = await start();
      expect(first.output()).toMatch(/Command \S+: completed \{/);
      const password = readFileSync(join(folder, 'admin-password'), 'utf8').trim();
      expect(first.output().split(password)).toHaveLength(2);
      for (const shell of ['sh', 'bash']) expect(paste(first, shell)).toContain('"exitCode":0');

      first.child.kill('SIGKILL');
      const second = await start();
      expect(second.output()).toMatch(/Command \S+: completed \{/);
      expect(second.output()).not.toContain(password);
      expect(await commands()).toHaveLength(4);
      expect((await commands()).every(({ status }) => status === 'completed')).toBe(true);

      const pids = ['server.pid', 'agent.pid', 'redis/redis.pid', 'postgres/cluster/postmaster.pid'].map(pidIn);
      expect(pids.every(isAlive)).toBe(true);
      second.child.kill('SIGINT');
      expect(await ended(second.child)).toBe(0);
      expect(pids.filter(isAlive)).toEqual([]);
    },
    2 * START_MS,
  );

  async function start(): Promise<Started> {
    const child = spawn(process.execPath, ['--import', 'tsx', 'tools/start/main.ts'], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => void (text += chunk.toString()));
    await eventually(() => {
      if (child.exitCode !== null || !text.includes('?limit=1')) throw new Error(`the launcher is not ready:\n${text}`);
    }, START_MS);
    return { child, output: () => text };
  }

  function paste(started: Started, shell: string): string {
    const text = started.output();
    const lines = text.slice(text.indexOf('  TOKEN='));
    return spawnSync(shell, ['-c', lines], { encoding: 'utf8', env: { PATH: env['PATH'] } }).stdout;
  }

  async function commands(): Promise<{ status: string }[]> {
    const token = readFileSync(join(folder, 'token'), 'utf8').trim();
    const response = await fetch(`http://127.0.0.1:${env['PORT']}/api/commands`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return ((await response.json()) as { items: { status: string }[] }).items;
  }

  const pidIn = (file: string): number => Number.parseInt(readFileSync(join(folder, file), 'utf8'), 10);
});

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((done) => {
    if (child.exitCode !== null || child.signalCode !== null) done(child.exitCode);
    else child.once('exit', (code) => done(code));
  });
}
