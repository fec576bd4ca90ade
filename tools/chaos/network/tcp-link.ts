import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { sleep } from '../../servers/process';
import type { Random } from '../random';

interface Wire {
  near: Socket;
  far: Socket;
  /** Carries nothing any more, and nobody is told. */
  dead: boolean;
}

/** The bytes between two parts of the installation, and what a network may do to them. */
export class TcpLink {
  private readonly wires = new Set<Wire>();
  /** Also those of dead wires of which one end is closed. */
  private readonly sockets = new Set<Socket>();
  /** How often something was done to what passes here. */
  disturbed = 0;
  private refusing = false;
  private hole?: Promise<void>;
  private fill?: () => void;
  private slowness?: Random;
  private doomed?: { texts: readonly string[]; left: number };

  private constructor(
    private readonly server: Server,
    readonly port: number,
    /** Where new connections lead. */
    public targetPort: number,
  ) {}

  static async open(targetPort: number): Promise<TcpLink> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const link = new TcpLink(server, (server.address() as AddressInfo).port, targetPort);
    server.on('connection', (near) => link.carry(near));
    return link;
  }

  /** Every connection ends by a reset. */
  reset(): void {
    this.disturbed += this.wires.size;
    for (const { near, far } of this.wires) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  }

  /** Resets, and refuses new connections until `mend`. */
  cut(): void {
    this.refusing = true;
    this.reset();
  }

  /** Nothing passes, on old and new connections, and nobody is told; what was sent arrives after `mend`. */
  blackHole(): void {
    this.hole ??= new Promise((resolve) => (this.fill = resolve));
  }

  /** The connections of now never carry anything again, and nobody is told; new ones work. */
  halfOpen(): void {
    this.disturbed += this.wires.size;
    for (const wire of this.wires) wire.dead = true;
  }

  /** Small pieces, each late, some very late. */
  slow(random: Random): void {
    this.slowness = random;
  }

  /** Of the next `times` connections that say one of these texts, the other side hears it, and its answer never arrives: a reset does. */
  loseAnswersTo(texts: readonly string[], times: number): void {
    this.doomed = { texts, left: times };
  }

  mend(): void {
    this.refusing = false;
    this.slowness = undefined;
    this.doomed = undefined;
    this.fill?.();
    this.hole = undefined;
  }

  async close(): Promise<void> {
    this.mend();
    this.refusing = true;
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private carry(near: Socket): void {
    near.on('error', () => undefined);
    if (this.refusing) {
      this.disturbed++;
      return void near.resetAndDestroy();
    }
    const far = connect(this.targetPort, '127.0.0.1');
    far.on('error', () => undefined);
    for (const socket of [near, far]) socket.setNoDelay(true);
    const wire: Wire = { near, far, dead: false };
    this.wires.add(wire);
    let answerLost = false;
    const up = this.pump(wire, near, far, (bytes) => (answerLost ||= this.dooms(bytes)));
    const down = this.pump(wire, far, near, () => {
      if (answerLost) near.resetAndDestroy();
    });
    for (const direction of [up, down]) {
      direction.catch(() => {
        near.destroy();
        far.destroy();
      });
    }
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.sockets.add(socket);
      socket.once('close', () => {
        this.sockets.delete(socket);
        this.wires.delete(wire);
        // Whoever is behind a dead wire does not hear of the end either.
        if (!wire.dead) other.destroy();
      });
    }
  }

  private async pump(wire: Wire, from: Socket, to: Socket, look: (bytes: Buffer) => void): Promise<void> {
    for await (const bytes of from as AsyncIterable<Buffer>) {
      look(bytes);
      for (const piece of this.pieces(bytes)) {
        if (this.slowness ?? this.hole) this.disturbed++;
        if (this.slowness) await sleep(this.slowness.chance(0.02) ? 1_000 : this.slowness.whole(0, 40));
        await this.hole;
        if (wire.dead) return void (await new Promise(() => undefined));
        if (!to.writable) return;
        if (!to.write(piece)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
      }
    }
    if (!wire.dead) to.end();
  }

  private pieces(bytes: Buffer): Buffer[] {
    if (!this.slowness || bytes.length < 2) return [bytes];
    const at = this.slowness.whole(1, bytes.length - 1);
    return [bytes.subarray(0, at), bytes.subarray(at)];
  }

  private dooms(bytes: Buffer): boolean {
    if (!this.doomed || this.doomed.left === 0 || !this.doomed.texts.some((text) => bytes.includes(text))) return false;
    this.doomed.left--;
    this.disturbed++;
    return true;
  }
}
