import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import { NotFound } from '../errors/errors';
import { Backlog, type EventSink, HEARTBEAT_MS, MAX_BUFFERED_BYTES, openStreams } from './event-sink';
import { Rota } from './rota';

const heartbeats = new Rota(HEARTBEAT_MS);

/** One event as it stands in a stream. */
export const eventText = (event: string, data: unknown, id?: string): string => `${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** One open event stream, written by hand: own ids, comments as heartbeats, a bounded buffer. */
export class EventStream implements EventSink {
  private readonly response: ServerResponse;
  private readonly isChunked: boolean;
  private readonly endHeartbeat: () => void;
  private readonly backlog = new Backlog();

  constructor(reply: FastifyReply) {
    // Nothing could be said on it, and an agent's own would end for it.
    if (reply.raw.req.method === 'HEAD') throw new NotFound('stream without GET');
    reply.hijack();
    this.response = reply.raw;
    this.isChunked = this.response.req.httpVersion === '1.1';
    this.response.writeHead(200, {
      // What was set before: who may read it, and the id of the request.
      ...(reply.getHeaders() as Record<string, string>),
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      connection: 'keep-alive',
      ...(this.isChunked && { 'transfer-encoding': 'chunked' }),
    });
    this.response.flushHeaders();
    this.response.socket?.setNoDelay(true);
    this.response.on('error', () => this.response.destroy());
    this.endHeartbeat = heartbeats.join(() => this.beat());
    openStreams.count++;
    this.onClose(() => {
      this.endHeartbeat();
      openStreams.count--;
    });
  }

  get open(): boolean {
    return !this.response.writableEnded && !this.response.destroyed;
  }

  get congested(): boolean {
    return this.response.writableLength > MAX_BUFFERED_BYTES;
  }

  onCaughtUp(listener: () => void): void {
    if (this.response.socket) this.backlog.onEnd(this.response.socket, listener);
  }

  send(event: string, data: unknown, id?: string): void {
    this.write(eventText(event, data, id));
  }

  end(): void {
    this.endHeartbeat();
    this.response.end();
  }

  cutOff(): void {
    this.response.destroy();
  }

  onClose(listener: () => void): void {
    // A reader that left before is told of by no event any more.
    if (this.response.destroyed) queueMicrotask(listener);
    else this.response.once('close', listener);
  }

  /** Events that were made into text already, for many readers at once. */
  write(text: string): void {
    if (!this.open) return;
    if (this.congested) this.response.destroy();
    else this.put(text);
  }

  private beat(): void {
    const { socket } = this.response;
    // What it is taking is a sign of life as well.
    if (this.congested && socket && this.backlog.shrinks(socket)) return;
    this.write(': alive\n\n');
  }

  /**
   * At once and as one piece, where the response would write a chunk in four at the end of the turn; what follows within the turn goes
   * together. A request that came before the last one was answered waits for the connection, and its response keeps what is said.
   */
  private put(text: string): void {
    const { socket } = this.response;
    if (!socket || !this.isChunked) return void this.response.write(text);
    socket.write(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`);
    if (socket.writableCorked > 0) return;
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
}
