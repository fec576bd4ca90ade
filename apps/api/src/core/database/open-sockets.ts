import { type BeforeApplicationShutdown, Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Socket } from 'node:net';
import { UNANSWERED } from './steady-client';

/** Milliseconds that an orderly stop leaves PostgreSQL to answer what it was asked, and to end. */
const STOP_MS = 3_000;
const LOOK_MS = 250;

/**
 * Knows the sockets to PostgreSQL. A connection that is half open is seldom alone: where one gives no answer, those that have been silent for as
 * long are cut with it, so that nobody has to find them out one after another. An orderly stop cuts those that have not ended in time.
 */
@Injectable()
export class OpenSockets implements OnModuleDestroy, BeforeApplicationShutdown {
  /** `heardAt` is the earliest that it may have been heard for the last time. */
  private readonly open = new Map<Socket, { bytes: number; heardAt: number }>();
  private lookedAt = performance.now();
  private readonly timer = setInterval(() => this.look(), LOOK_MS).unref();

  /** `queryMs` is how long an answer may take. */
  add<T extends Socket>(socket: T, queryMs: number): T {
    this.open.set(socket, { bytes: 0, heardAt: performance.now() });
    socket.once('error', ({ message }) => message === UNANSWERED && this.cut(queryMs - LOOK_MS));
    socket.once('close', () => this.open.delete(socket));
    return socket;
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  beforeApplicationShutdown(): void {
    setTimeout(() => this.cut(0), STOP_MS).unref();
  }

  private look(): void {
    for (const [socket, seen] of this.open) {
      if (socket.bytesRead !== seen.bytes) Object.assign(seen, { bytes: socket.bytesRead, heardAt: this.lookedAt });
    }
    this.lookedAt = performance.now();
  }

  private cut(silentMs: number): void {
    this.look();
    for (const [socket, { heardAt }] of [...this.open]) if (performance.now() - heardAt >= silentMs) socket.destroy();
  }
}
