import type { Socket } from 'node:net';

/** Milliseconds between two signs of life on an event stream; the contract promises one every 15 s. */
export const HEARTBEAT_MS = 14_000;
/** Between two pings of a WebSocket: every other sign of life. At the one between them, a peer that did not answer is gone: within the 45 s that the design allows for. */
export const PING_MS = 2 * HEARTBEAT_MS;
/** For a peer that does not answer the closing; an orderly stop of the server waits for it. */
export const CLOSING_MS = 1_000;
/** A consumer that is further behind is congested, and cut off when it still is at the next word, or takes nothing between two signs of life: it comes back and resumes, and the server's memory stays bounded. */
export const MAX_BUFFERED_BYTES = 1 << 20;

/** What waits in this process for a consumer that is behind. */
export class Backlog {
  private taken = 0;
  private isAwaited = false;

  /** True when the system took over a write of this connection since it was asked last: then the consumer is slow, and not gone. */
  shrinks({ bytesWritten, writableLength }: Socket): boolean {
    const before = this.taken;
    this.taken = bytesWritten - writableLength;
    return this.taken !== before;
  }

  /** Calls the listener once, when nothing waits any more; one that is given meanwhile is not called. */
  onEnd(socket: Socket, listener: () => void): void {
    if (this.isAwaited) return;
    this.isAwaited = true;
    socket.once('drain', () => {
      this.isAwaited = false;
      listener();
    });
  }
}

/** One open connection that events are written to, whatever carries them. */
export interface EventSink {
  readonly open: boolean;
  /** The consumer is too far behind: what can wait should wait. */
  readonly congested: boolean;
  /** Of a congested one: calls the listener once, when it has caught up; one that is given meanwhile is not called. */
  onCaughtUp(listener: () => void): void;
  /** Does nothing once the connection is closed, and cuts it off when it is congested. */
  send(event: string, data: unknown, id?: string): void;
  /** Closes the connection after what was sent, which is given up when it is not taken within CLOSING_MS. */
  end(): void;
  /** Closes it at once, for a peer that is gone: waits for nothing. */
  cutOff(): void;
  /** The listener is called once, whoever ended the connection; soon, when it is over already. */
  onClose(listener: () => void): void;
}

/** Connections that this process writes events to, whoever reads them. */
export const openStreams = { count: 0 };
