import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PING_MS } from '../../src/core/http/event-sink';
import { eventually } from './environment';
import { MACHINE_NODE } from './machine-node';

const ROOT = resolve(__dirname, '..', '..', '..', '..');
const MAIN = [join(ROOT, 'tools', 'jest', 'run-from-source.cjs'), join(ROOT, 'apps', 'agent', 'src', 'main.ts')];
/** A start compiles the agent's sources on a machine that may be busy with other tests. */
const START_MS = 30_000;

/** For `AGENT_SILENCE_MS`: a little more than passes between the server's signs of life, over either transport. */
export const SILENCE_MS = PING_MS + 2_000;

interface AgentSettings {
  serverUrl: string;
  clientKey: string;
  /** The agent's policy file. */
  policy?: object;
  /** What Node runs instead of the agent's sources. */
  program?: string[];
  env?: Record<string, string>;
}

/** The agent as it runs on a machine: a process of its own with a data folder that outlives it. */
export class RealAgent {
  /** Stands for the machine's disk; commands may work in it. */
  readonly folder = mkdtempSync(join(tmpdir(), 'gwanje-machine-'));
  log = '';
  private readonly dataDir = mkdtempSync(join(tmpdir(), 'gwanje-agent-'));
  private child?: ChildProcess;

  constructor(private readonly settings: AgentSettings) {}

  /** Resolves when the agent says that its stream is live. */
  async start(): Promise<this> {
    const before = this.connections;
    this.child = this.spawn((text) => (this.log += text));
    await this.connected(before);
    return this;
  }

  /** Launches a second agent on the same data folder and waits for its end. */
  async twin(): Promise<{ exitCode: number; log: string }> {
    let log = '';
    const [exitCode] = (await once(this.spawn((text) => (log += text)), 'close')) as [number];
    return { exitCode, log };
  }

  /** How many times a stream went live. */
  get connections(): number {
    return this.log.split('connected to ').length - 1;
  }

  /** Waits until a stream went live after the first `before`. */
  async connected(before: number): Promise<void> {
    await eventually(() => {
      if (this.child?.exitCode != null) throw new Error(`the agent ended:\n${this.log}`);
      if (this.connections <= before) throw new Error(`the agent is not connected:\n${this.log}`);
    }, SILENCE_MS + START_MS);
  }

  /** The file to which commands write a line each time that they take effect. */
  get oracle(): string {
    return join(this.folder, 'oracle');
  }

  get effects(): number {
    return existsSync(this.oracle) ? readFileSync(this.oracle, 'utf8').split('\n').length - 1 : 0;
  }

  /** The file that commands which wait for the test wait for. */
  get signal(): string {
    return join(this.folder, 'go');
  }

  /** Lets them end. */
  go(): void {
    writeFileSync(this.signal, '');
  }

  /** The orderly stop. */
  stop(): Promise<void> {
    return this.end('SIGTERM');
  }

  /** The power cut. */
  kill(): Promise<void> {
    return this.end('SIGKILL');
  }

  /** Stops it where it is: its connections stay open, and it says nothing. Only `kill` and `destroy` follow. */
  async freeze(): Promise<void> {
    this.child?.kill('SIGSTOP');
  }

  /** Nothing that it or its commands write may grow beyond what its journal has already. */
  fillDisk(): void {
    const { size } = statSync(join(this.dataDir, 'data', 'journal.mdb'));
    execFileSync('prlimit', ['--pid', `${this.child?.pid}`, `--fsize=${size}:unlimited`]);
  }

  async destroy(): Promise<void> {
    this.child?.kill('SIGCONT');
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }

  private spawn(print: (text: string) => void): ChildProcess {
    const { serverUrl, clientKey, policy, program = MAIN, env } = this.settings;
    const policyFile = join(this.dataDir, 'policy.json');
    writeFileSync(policyFile, JSON.stringify({ paths: [this.folder], ...policy }));
    const child = spawn(MACHINE_NODE, program, {
      cwd: this.folder,
      env: {
        ...process.env, SERVER_URL: serverUrl, CLIENT_KEY: clientKey, AGENT_DATA_DIR: join(this.dataDir, 'data'), AGENT_POLICY: policyFile,
        LOG_LEVEL: 'info', ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => print(text.toString()));
    return child;
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
}
