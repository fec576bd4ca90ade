import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../tools/servers/ports';
import { hasExited, sleep, stopChild } from '../../tools/servers/process';
import { SERVER } from '../../tools/start/server-program';

/** The built server as its users run it, with a probe beside it. */
export class ApiProcess {
  private questions = 0;

  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
  ) {}

  static async start(folder: string, settings: NodeJS.ProcessEnv): Promise<ApiProcess> {
    const port = await freePort();
    const logFile = join(folder, 'api.log');
    const log = openSync(logFile, 'a');
    const env: NodeJS.ProcessEnv = {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      PORT: `${port}`,
      HOST: '127.0.0.1',
      JWT_SECRET: randomBytes(48).toString('base64url'),
      ARTIFACTS_DIR: join(folder, 'artifacts'),
      AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
      ...settings,
    };
    const execArgv = [...SERVER.flags, '--expose-gc', '--import', join(__dirname, 'server-probe.mjs')];
    const child = fork(SERVER.file, [], {
      cwd: folder,
      env,
      execArgv,
      stdio: ['ignore', log, log, 'ipc'],
      serialization: 'json',
    });
    closeSync(log);
    const api = new ApiProcess(`http://127.0.0.1:${port}`, child);
    for (const end = Date.now() + 60_000; ; await sleep(100)) {
      const ready = await fetch(`${api.url}/health/ready`).then(
        (answer) => answer.ok,
        () => false,
      );
      if (ready) return api;
      if (!hasExited(child) && Date.now() < end) continue;
      await api.stop();
      throw new Error(`the server did not become ready: ${readFileSync(logFile, 'utf8').slice(-1000)}`);
    }
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  memory(): Promise<NodeJS.MemoryUsage> {
    return this.ask('memory');
  }

  cpuSeconds(): Promise<number> {
    return this.ask('cpuSeconds');
  }

  startProfile(): Promise<void> {
    return this.ask('startProfile');
  }

  stopProfile(file: string): Promise<void> {
    return this.ask('stopProfile', file);
  }

  stop(): Promise<void> {
    return stopChild(this.process, 'SIGTERM');
  }

  private async ask<T>(method: string, argument?: unknown): Promise<T> {
    const number = ++this.questions;
    this.process.send({ number, method, argument });
    for (;;) {
      const [answer] = (await once(this.process, 'message')) as [{ number: number; value?: unknown; error?: string }];
      if (answer.number !== number) continue;
      if (answer.error !== undefined) throw new Error(`the server's probe: ${answer.error}`);
      return answer.value as T;
    }
  }
}
