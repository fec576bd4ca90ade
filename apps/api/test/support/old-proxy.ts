import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A reverse proxy that knows no WebSocket: it carries HTTP, event streams too, and leaves out the upgrade or hangs up on it. */
export class OldProxy {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async create(target: string, onUpgrade: 'ignore' | 'hang up'): Promise<OldProxy> {
    const server = createServer((asked, answer) => {
      const { connection: _, upgrade: __, ...headers } = asked.headers;
      const passed = request(target + (asked.url ?? ''), { method: asked.method, headers, agent: false }, (got) => {
        answer.writeHead(got.statusCode ?? 502, got.headers);
        answer.flushHeaders();
        got.pipe(answer);
      });
      passed.on('error', () => answer.destroy());
      answer.on('close', () => passed.destroy());
      asked.pipe(passed);
    });
    if (onUpgrade === 'hang up') server.on('upgrade', (_, socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new OldProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
