import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';

/** The network between agent and server, which the test can cut or freeze. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private isCut = false;
  private fatal?: string;
  private swallowed?: string;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async create(target: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(target);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new TcpProxy(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('connection', (near) => {
      if (proxy.isCut) return near.destroy();
      const far = connect(Number(port), hostname);
      proxy.keep(near, far);
      proxy.keep(far, near);
      const answers = new Transform({
        transform: (bytes: Buffer, _, done) => (proxy.kills(bytes) ? near.destroy() : done(null, bytes)),
      });
      let isSilent = false;
      const requests = new Transform({
        transform: (bytes: Buffer, _, done) => {
          isSilent ||= proxy.swallowed !== undefined && bytes.includes(proxy.swallowed);
          done(null, isSilent ? undefined : bytes);
        },
      });
      near.pipe(requests).pipe(far).pipe(answers).pipe(near);
      return undefined;
    });
    return proxy;
  }

  /** Ends all connections and refuses new ones. */
  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  /** Once, the connection ends instead of carrying the server's bytes with this text. */
  cutBefore(text: string): void {
    this.fatal = text;
  }

  /** From now on nothing gets through on a connection that has carried this text of a client's, the text included. */
  swallowFrom(text: string): void {
    this.swallowed = text;
  }

  /** How many sockets are open: two for each connection. */
  get open(): number {
    return this.sockets.size;
  }

  /** Whether that has happened. */
  get hasCut(): boolean {
    return this.fatal === undefined;
  }

  /** The connections of now stay open and carry nothing any more, in either direction; new ones work. */
  freeze(): void {
    for (const socket of this.sockets) socket.unpipe().pause();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private kills(bytes: Buffer): boolean {
    const found = this.fatal !== undefined && bytes.includes(this.fatal);
    if (found) this.fatal = undefined;
    return found;
  }

  private keep(socket: Socket, other: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => other.destroy());
    socket.on('close', () => {
      this.sockets.delete(socket);
      other.destroy();
    });
  }
}
