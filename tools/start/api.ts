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
  /** Sent with every call once it is known. */
  token = '';

  constructor(
    readonly url: string,
    private readonly signal: AbortSignal,
  ) {}

  async call<T>(method: 'GET' | 'POST', path: string, body?: object, token = this.token): Promise<T> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
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

  /** Whether this token or client key is valid here, whatever it may do. */
  async accepts(token: string): Promise<boolean> {
    try {
      await this.call('GET', '/api/auth/me', undefined, token);
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return false;
      if (error instanceof Refused && error.status === 403) return true;
      throw error;
    }
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
