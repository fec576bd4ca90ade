import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';

const HEARTBEAT_MS = 10_000;
/** A consumer this far behind is cut off; it comes back and resumes, and the server's memory stays bounded. */
const MAX_BUFFERED_BYTES = 1 << 20;

/** One open event stream, written by hand: own ids, comments as heartbeats, a bounded buffer. */
export class EventStream {
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

  send(event: string, data: unknown, id?: string): void {
    this.write(`${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    clearInterval(this.heartbeat);
    this.response.end();
  }

  onClose(listener: () => void): void {
    this.response.once('close', () => {
      clearInterval(this.heartbeat);
      listener();
    });
  }

  private write(text: string): void {
    if (!this.open) return;
    if (this.response.writableLength > MAX_BUFFERED_BYTES) this.response.destroy();
    else this.response.write(text);
  }
}
