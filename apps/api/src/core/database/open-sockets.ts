import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common';
import { Socket } from 'node:net';

/** Milliseconds that an orderly stop leaves PostgreSQL to answer what it was asked, and to end. */
const STOP_MS = 5_000;

/** Knows the sockets to PostgreSQL. An orderly stop cuts those that have not ended in time: the other side may be gone without a word. */
@Injectable()
export class OpenSockets implements BeforeApplicationShutdown {
  private readonly open = new Set<Socket>();

  add<T extends Socket>(socket: T): T {
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    return socket;
  }

  beforeApplicationShutdown(): void {
    setTimeout(() => {
      for (const socket of this.open) socket.destroy();
    }, STOP_MS).unref();
  }
}
