import type { ServerFrame } from '@gwanje/contracts';
import type { Socket } from 'node:net';
import type { RawData, WebSocket } from 'ws';
import { Backlog, CLOSING_MS, type EventSink, HEARTBEAT_MS, MAX_BUFFERED_BYTES, openStreams } from './event-sink';
import { Rota } from './rota';

const beats = new Rota(HEARTBEAT_MS);

/** One open WebSocket that carries frames as JSON text: pings as heartbeats, a bounded buffer, a dead peer found at the beat after a ping. */
export class EventSocket implements EventSink {
  private heard = true;
  private asked = false;
  private take?: (text: string | null) => void;
  private readonly backlog = new Backlog();

  /** `carrier` is what the WebSocket's frames travel on. */
  constructor(
    private readonly socket: WebSocket,
    private readonly carrier: Socket,
  ) {
    beats.join(this);
    socket.on('pong', () => (this.heard = true));
    socket.on('message', (data: RawData, isBinary: boolean) => {
      this.heard = true;
      this.take?.(isBinary ? null : (data as Buffer).toString());
    });
    // Something that is no WebSocket frame, or too large: `ws` has begun to close with the code that names it.
    socket.on('error', () => this.end());
    openStreams.count++;
    this.onClose(() => {
      beats.leave(this);
      openStreams.count--;
    });
  }

  get open(): boolean {
    return this.socket.readyState === this.socket.OPEN;
  }

  get congested(): boolean {
    return this.socket.bufferedAmount > MAX_BUFFERED_BYTES;
  }

  onCaughtUp(listener: () => void): void {
    this.backlog.onEnd(this.carrier, listener);
  }

  send(event: string, data: unknown, id?: string): void {
    this.write({ event, ...(id && { id }), data });
  }

  write(frame: ServerFrame): void {
    if (!this.open) return;
    if (this.congested) this.socket.terminate();
    else this.socket.send(JSON.stringify(frame));
  }

  end(): void {
    if (this.socket.readyState === this.socket.CLOSED) return;
    this.socket.close(1000);
    const timer = setTimeout(() => this.socket.terminate(), CLOSING_MS);
    this.socket.once('close', () => clearTimeout(timer));
  }

  cutOff(): void {
    this.socket.terminate();
  }

  onClose(listener: () => void): void {
    this.socket.on('close', listener);
  }

  /** There is one listener. It gets the text of each frame; null stands for a binary one. */
  onFrame(listener: (text: string | null) => void): void {
    this.take = listener;
  }

  /** Stops reading: the peer's frames wait in its own buffers. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.heard = true;
    this.socket.resume();
  }

  beat(): void {
    // While nothing is read, nothing can be heard.
    if (this.socket.isPaused) return;
    // Behind what waits here a ping would be heard too late.
    if (this.socket.bufferedAmount > 0) return this.backlog.shrinks(this.carrier) ? void (this.heard = true) : this.socket.terminate();
    this.asked = !this.asked;
    if (this.asked) {
      this.heard = false;
      this.socket.ping();
    } else if (!this.heard) this.socket.terminate();
  }
}
