import type { FastifyReply } from 'fastify';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { NotFound } from '../errors/errors';
import { Backlog, CLOSING_MS, type EventSink, HEARTBEAT_MS, MAX_BUFFERED_BYTES, openStreams } from './event-sink';
import { Rota } from './rota';
import { takeOver } from './take-over';

const heartbeats = new Rota(HEARTBEAT_MS);

/** One event as it stands in a stream. */
export const eventText = (event: string, data: unknown, id?: string): string => `${id ? `id: ${id}\n` : ''}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** One open event stream, written by hand on its connection: own ids, comments as heartbeats, a bounded buffer. */
export class EventStream implements EventSink {
  private readonly backlog = new Backlog();

  private constructor(
    private readonly socket: Socket,
    private readonly isChunked: boolean,
  ) {
    heartbeats.join(this);
    openStreams.count++;
    this.onClose(() => {
      heartbeats.leave(this);
      openStreams.count--;
    });
  }

  /** Waits for the connection, when requests that came on it before are not answered yet. It may be over when it is there. */
  static async open(reply: FastifyReply): Promise<EventStream> {
    const { raw: response } = reply;
    // Nothing could be said on it, and an agent's own would end for it.
    if (response.req.method === 'HEAD') throw new NotFound('stream without GET');
    reply.hijack();
    const { socket, httpVersion } = response.req;
    await assigned(response, socket);
    const isChunked = httpVersion === '1.1';
    if (!socket.destroyed) {
      response.writeHead(200, {
        // What was set before: who may read it, and the id of the request.
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        connection: 'close',
        ...(isChunked && { 'transfer-encoding': 'chunked' }),
      });
      response.flushHeaders();
      socket.setNoDelay(true);
      takeOver(response, socket);
    }
    return new EventStream(socket, isChunked);
  }

  get open(): boolean {
    return this.socket.writable;
  }

  get congested(): boolean {
    return this.socket.writableLength > MAX_BUFFERED_BYTES;
  }

  onCaughtUp(listener: () => void): void {
    this.backlog.onEnd(this.socket, listener);
  }

  send(event: string, data: unknown, id?: string): void {
    this.write(eventText(event, data, id));
  }

  /** Closes it when the reader has taken all that was sent, however long that takes; one that takes nothing is cut off by a heartbeat. */
  finish(): void {
    if (this.open) this.socket.end(this.isChunked ? '0\r\n\r\n' : '');
  }

  end(): void {
    if (this.socket.destroyed) return;
    this.finish();
    const timer = setTimeout(() => this.socket.destroy(), CLOSING_MS);
    this.socket.once('close', () => clearTimeout(timer));
  }

  cutOff(): void {
    this.socket.destroy();
  }

  onClose(listener: () => void): void {
    // A reader that left before is told of by no event any more.
    if (this.socket.destroyed) queueMicrotask(listener);
    else this.socket.on('close', listener);
  }

  /** Events that were made into text already, for many readers at once. */
  write(text: string): void {
    if (!this.open) return;
    if (this.congested) this.socket.destroy();
    else this.put(text);
  }

  beat(): void {
    const { writableEnded } = this.socket;
    // What it is taking is a sign of life as well.
    if ((this.congested || writableEnded) && this.backlog.shrinks(this.socket)) return;
    if (writableEnded) this.socket.destroy();
    else this.write(': alive\n\n');
  }

  /** At once; what follows within the turn goes together. */
  private put(text: string): void {
    const { socket } = this;
    socket.write(this.isChunked ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n` : text);
    if (socket.writableCorked > 0) return;
    socket.cork();
    process.nextTick(() => socket.uncork());
  }
}

/** Resolves when the response has its connection, or that is over. */
async function assigned(response: ServerResponse, connection: Socket): Promise<void> {
  if (response.socket || connection.destroyed) return;
  await new Promise<unknown>((resolve) => {
    response.once('socket', resolve);
    connection.once('close', resolve);
  });
}
