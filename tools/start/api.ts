import { createServer } from 'node:net';
import { codeOf, messageOf } from '../servers/process';
import type { Launcher } from './launcher';

/** An answer of the API that is not a success. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** The few calls that the launcher makes. */
export class Api {
  private token = '';

  constructor(
    readonly url: string,
    private readonly signal: AbortSignal,
  ) {}

  async logIn(email: string, password: string): Promise<void> {
    const answer = await this.call<{ accessToken: string }>('POST', '/api/auth/login', { email, password });
    this.token = answer.accessToken;
  }

  async call<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(this.token && { authorization: `Bearer ${this.token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body ? JSON.stringify(body) : null,
      signal: AbortSignal.any([this.signal, AbortSignal.timeout(15_000)]),
    });
    const text = await response.text();
    if (!response.ok)
      throw new Refused(response.status, `${method} ${path} answered ${response.status}: ${text.slice(0, 300)}`);
    return (text ? JSON.parse(text) : {}) as T;
  }

  async isReady(): Promise<boolean> {
    try {
      await this.call('GET', '/health/ready');
      return true;
    } catch {
      return false;
    }
  }
}

export async function waitUntilReady(api: Api, launcher: Launcher): Promise<void> {
  for (const end = Date.now() + 60_000; !(await api.isReady()); await launcher.pause(150)) {
    launcher.check();
    if (Date.now() > end) throw new Error(`the server did not become ready within a minute (${api.url}/health/ready)`);
  }
}

/** Says it before anything is started, instead of in the middle of the server's log. */
export async function requireFreePort(port: number): Promise<void> {
  for (const host of ['127.0.0.1', undefined]) {
    await new Promise<void>((resolve, reject) => {
      const server = createServer();
      server.once('error', (error) => reject(new Error(explain(error, port))));
      server.listen(port, host, () => server.close(() => resolve()));
    });
  }
}

function explain(error: Error, port: number): string {
  if (codeOf(error) === 'EADDRINUSE')
    return `port ${port} is in use: stop the other program, or choose one with PORT=${port + 1} npm start`;
  if (codeOf(error) === 'EACCES') return `port ${port} is reserved for root: choose another one with PORT`;
  return messageOf(error);
}
