import type { Agent } from 'node:http';
import { webOf } from './web';

export interface Reply {
  status: number;
  body: string;
}

/** Keeps the first few kinds of trouble: two that differ in their ids only are one. */
export function noteOnce(troubles: string[], text: string): void {
  const kind = text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, ':id');
  if (troubles.length < 10 && !troubles.includes(kind)) troubles.push(kind);
}

/** Keep-alive connections that many callers share; each call carries a key of its own. */
export class Poster {
  private readonly agent: Agent;
  private readonly target: { host: string; port: string };
  private readonly web: ReturnType<typeof webOf>;

  constructor(url: string, maxSockets: number) {
    const { hostname: host, port } = new URL(url);
    this.target = { host, port };
    this.web = webOf(url);
    this.agent = new this.web.Agent({ keepAlive: true, maxSockets, maxFreeSockets: maxSockets, scheduling: 'lifo' });
  }

  /** Rejects when there is no answer. */
  post(path: string, token: string, body: unknown): Promise<Reply> {
    const bytes = Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const headers = {
        Authorization: `Bearer ${token}`,
        'Content-Type': 'application/json',
        'Content-Length': bytes.length,
      };
      const call = this.web.request({ ...this.target, path, method: 'POST', agent: this.agent, headers });
      call.on('response', (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }));
        response.on('error', reject);
      });
      call.on('error', reject);
      call.end(bytes);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
