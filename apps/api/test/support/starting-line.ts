import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server on which the first connections wait for each other: they get through at the same moment. */
export class StartingLine {
  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async open(target: string, together: number): Promise<StartingLine> {
    const { hostname, port } = new URL(target);
    const waiting: Socket[] = [];
    const server = createServer((near) => {
      near.on('error', () => undefined);
      waiting.push(near.pause());
      if (together > waiting.length) return;
      together = 0;
      for (const socket of waiting.splice(0)) {
        const far = connect(Number(port), hostname);
        far.on('error', () => undefined).on('close', () => socket.destroy());
        socket.on('close', () => far.destroy());
        socket.pipe(far).pipe(socket);
      }
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new StartingLine(server, Object.assign(new URL(target), { port: (server.address() as AddressInfo).port }).toString());
  }

  /** When everybody has gone. */
  async close(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}
