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

/** Keep-alive connections that many callers share; each call carries a key of its own. Half of what `node:http` costs its process. */
export class Poster {
  private readonly pool: Pool;

  constructor(url: string, connections: number) {
    this.pool = new Pool(new URL(url).origin, { connections });
  }

  /** Rejects when there is no answer. */
  async post(path: string, token: string, body?: object): Promise<Reply> {
    const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) };
    const answer = await this.pool.request({ path, method: 'POST', headers, body: body ? JSON.stringify(body) : null });
    return { status: answer.statusCode, body: await answer.body.text() };
  }

  close(): void {
    void this.pool.destroy();
  }
}
