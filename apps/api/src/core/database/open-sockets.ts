import { type BeforeApplicationShutdown, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Socket } from 'node:net';
import { UNANSWERED } from './steady-client';

/** Milliseconds that an orderly stop leaves PostgreSQL to answer what it was asked, and to end. */
const STOP_MS = 5_000;
const LOOK_MS = 1_000;
/** When one connection gives no answer, those that have been silent for this long are no better. */
const SILENT_MS = 10_000;

/**
 * Knows the sockets to PostgreSQL. A connection that is half open is seldom alone: where one gives no answer, the silent ones are cut with
 * it, so that nobody has to find them out one after another. An orderly stop cuts those that have not ended in time.
 */
@Injectable()
export class OpenSockets implements OnModuleDestroy, BeforeApplicationShutdown {
  private readonly open = new Map<Socket, { bytes: number; heardAt: number }>();
  private readonly timer = setInterval(() => this.look(), LOOK_MS).unref();

  add<T extends Socket>(socket: T): T {
    this.open.set(socket, { bytes: 0, heardAt: performance.now() });
    socket.once('error', ({ message }) => message === UNANSWERED && this.cut((heardAt) => performance.now() - heardAt > SILENT_MS));
    socket.once('close', () => this.open.delete(socket));
    return socket;
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  beforeApplicationShutdown(): void {
    setTimeout(() => this.cut(() => true), STOP_MS).unref();
  }

  private look(): void {
    for (const [socket, seen] of this.open) {
      if (socket.bytesRead !== seen.bytes) Object.assign(seen, { bytes: socket.bytesRead, heardAt: performance.now() });
    }
  }

  private cut(which: (heardAt: number) => boolean): void {
    this.look();
    for (const [socket, { heardAt }] of [...this.open]) if (which(heardAt)) socket.destroy();
  }
}
