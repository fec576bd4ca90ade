import { Pool } from 'undici';

export interface Reply {
  status: number;
  body: string;
}

/** Keeps the first few kinds of trouble: two that differ in their ids only are one. */
export function noteOnce(troubles: string[], text: string): void {
  const kind = text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, ':id');
  if (troubles.length < 10 && !troubles.includes(kind)) troubles.push(kind);
}

/**
 * Keep-alive connections that many callers share; each call carries a key of its own. A third of what `node:http` costs its process: what is
 * dispatched by hand has no stream for its answer.
 */
export class Poster {
  private readonly pool: Pool;

  constructor(url: string, connections: number) {
    this.pool = new Pool(new URL(url).origin, { connections });
  }

  /** Rejects when there is no answer. */
  post(path: string, token: string, body?: object): Promise<Reply> {
    const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) };
    return new Promise((resolve, reject) => {
      let status = 0;
      const parts: Buffer[] = [];
      this.pool.dispatch(
        { path, method: 'POST', headers, body: body ? JSON.stringify(body) : null },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_, statusCode) => (status = statusCode),
          onResponseData: (_, part) => parts.push(part),
          onResponseEnd: () => resolve({ status, body: Buffer.concat(parts).toString() }),
          onResponseError: (_, error) => reject(error),
        },
      );
    });
  }

  close(): void {
    void this.pool.destroy();
  }
}
