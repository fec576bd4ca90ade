import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import { type EventSink, HEARTBEAT_MS, MAX_BUFFERED_BYTES } from './event-sink';

/** One open event stream, written by hand: own ids, comments as heartbeats, a bounded buffer. */
export class EventStream implements EventSink {
  private readonly response: ServerResponse;
  private readonly heartbeat: NodeJS.Timeout;

  constructor(reply: FastifyReply) {
    reply.hijack();
    this.response = reply.raw;
    this.response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
      Connection: 'keep-alive',
    });
    this.response.flushHeaders();
    this.response.socket?.setNoDelay(true);
    this.response.on('error', () => this.response.destroy());
    this.heartbeat = setInterval(() => this.write(': alive\n\n'), HEARTBEAT_MS);
  }

  get open(): boolean {
    return !this.response.writableEnded && !this.response.destroyed;
  }

  get congested(): boolean {
    return this.response.writableLength > MAX_BUFFERED_BYTES;
  }

  send(event: string, data: unknown, id?: string): void {
    this.write(`${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    clearInterval(this.heartbeat);
    this.response.end();
  }

  cutOff(): void {
    this.response.destroy();
  }

  onClose(listener: () => void): void {
    this.response.once('close', () => {
      clearInterval(this.heartbeat);
      listener();
    });
  }

  private write(text: string): void {
    if (!this.open) return;
    if (this.congested) this.response.destroy();
    else this.response.write(text);
  }
}
