import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from '../../servers/ports';
import { hasExited, messageOf, sleep, stopChild } from '../../servers/process';
import { SERVER } from '../../start/server-program';
import type { OpenApi } from './document';
import type { Things } from './malformed';

const EMAIL = 'admin@example.com';
const START_MS = 60_000;
const ROLES = ['operator', 'viewer', 'auditor'] as const;

/** The built server as one process, and somebody of every kind who may call it. */
export class Target {
  /** The secret of each caller; of `nobody` there is none. */
  readonly callers = new Map<string, string | null>([
    ['nobody', null],
    ['somebody unknown', `gwj_${'x'.repeat(40)}`],
    ['no token at all', '\u00ff'],
  ]);
  private log = '';
  private made = 0;

  private constructor(
    readonly port: number,
    private readonly child: ChildProcess,
  ) {
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (bytes: Buffer) => (this.log = (this.log + bytes.toString()).slice(-20_000)));
  }

  static async start(settings: { databaseUrl: string; redisUrl: string; folder: string }): Promise<Target> {
    const port = await freePort();
    const password = randomBytes(18).toString('base64url');
    const env = {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      HOST: '127.0.0.1',
      PORT: `${port}`,
      LOG_LEVEL: 'error',
      // It is not about how much the machine can do at a time.
      DB_POOL_CONNECT_MS: '20000',
      DATABASE_URL: settings.databaseUrl,
      REDIS_URL: settings.redisUrl,
      JWT_SECRET: randomBytes(48).toString('base64url'),
      ADMIN_EMAIL: EMAIL,
      ADMIN_PASSWORD: password,
      ARTIFACTS_DIR: join(settings.folder, 'artifacts'),
      AUDIT_KEY_FILE: join(settings.folder, 'audit-key.pem'),
    };
    const target = new Target(
      port,
      spawn(process.execPath, [...SERVER.flags, SERVER.file], { env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    try {
      await target.prepare(password);
      return target;
    } catch (error) {
      await target.stop();
      throw new Error(`${messageOf(error)}\n${target.log}`, { cause: error });
    }
  }

  async document(): Promise<OpenApi> {
    return (await (await this.fetch('/api/docs/openapi.json')).json()) as OpenApi;
  }

  /** The greatest lag of the event loop since it was asked last, in milliseconds. */
  async lag(): Promise<number> {
    const text = await (await this.fetch('/metrics')).text();
    return Number(/^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1]) * 1000;
  }

  /** Makes new ones: those of before may have been deleted. */
  async things(): Promise<Things> {
    const name = `thing-${++this.made}`;
    const { id } = await this.call<{ id: string }>('/api/clients', { name, groups: ['floor'] });
    const command = await this.call<{ id: string }>('/api/commands', { clientId: id, action: 'noop', payload: {} });
    return { ids: [id, name, command.id, 'floor'] };
  }

  /** Says what became of it, when it is not there any more. */
  requireAlive(): void {
    if (hasExited(this.child)) throw new Error(`the server has ended:\n${this.log}`);
  }

  get errors(): string {
    return this.log;
  }

  async stop(): Promise<void> {
    await stopChild(this.child, 'SIGTERM');
  }

  private async prepare(password: string): Promise<void> {
    for (const end = Date.now() + START_MS; ; await sleep(100)) {
      this.requireAlive();
      if (
        await this.fetch('/health/ready').then(
          ({ ok }) => ok,
          () => false,
        )
      )
        break;
      if (Date.now() > end) throw new Error('the server is not ready');
    }
    const { accessToken } = await this.call<{ accessToken: string }>('/api/auth/login', { email: EMAIL, password });
    await this.addPerson('admin', accessToken);
    for (const role of ROLES) {
      const [email, secret] = [`${role}@example.com`, randomBytes(18).toString('base64url')];
      await this.call('/api/users', { email, name: role, password: secret, roles: [role] });
      const session = await this.call<{ accessToken: string }>('/api/auth/login', { email, password: secret });
      await this.addPerson(role, session.accessToken);
    }
    const { clientKey } = await this.call<{ clientKey: string }>('/api/clients', { name: 'the-agent' });
    this.callers.set('agent', clientKey);
  }

  private async addPerson(name: string, accessToken: string): Promise<void> {
    const { token } = await this.call<{ token: string }>('/api/auth/tokens', { name }, accessToken);
    this.callers.set(name, token);
  }

  private async call<T>(path: string, body: object, token = this.callers.get('admin')): Promise<T> {
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
    const answer = await this.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  private fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, { ...init, signal: AbortSignal.timeout(30_000) });
  }
}
