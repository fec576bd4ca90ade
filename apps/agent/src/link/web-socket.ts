import { type AgentEvent, type FrameAnswer, MAX_FRAME_BYTES, type ServerFrame } from '@gwanje/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { AgentConfig } from '../config';
import { type Listener, type Transport, UpgradeRefused, whileHeard } from './transport';

const HANDSHAKE_MS = 15_000;
/** A command has at most 1 MiB of JSON, and may be written longer than it was sent. */
const MAX_RECEIVED_BYTES = 16 << 20;

type Settle = (answer: FrameAnswer | Error) => void;

/** Owns one WebSocket at a time, in both directions; it must never know what an event means, or say a thing twice. */
@Injectable()
export class WebSocketLink implements Transport {
  private readonly log = new Logger('socket');
  private readonly waiting = new Map<number, Settle>();
  private live?: WebSocket;
  private refs = 0;

  constructor(private readonly config: AgentConfig) {}

  /** Rejects with UpgradeRefused when the answer to the handshake is HTTP. */
  listen(signal: AbortSignal, listener: Listener): Promise<void> {
    return whileHeard(this.config.silenceMs, signal, async (either, heard) => {
      const socket = new WebSocket(`${this.config.serverUrl.replace(/^http/, 'ws')}/api/ws/me`, {
        headers: { Authorization: `Bearer ${this.config.clientKey}` },
        handshakeTimeout: HANDSHAKE_MS,
        maxPayload: MAX_RECEIVED_BYTES,
        perMessageDeflate: false,
      });
      socket.on('ping', heard);
      socket.on('message', (text: Buffer) => {
        heard();
        this.pass(text.toString(), listener);
      });
      socket.on('open', () => (this.live = socket));
      // Without this listener `ws` makes an error of the answer and keeps its status to itself.
      const refused = once(socket, 'unexpected-response').then(([, { statusCode }]) => {
        throw new UpgradeRefused((statusCode as number | undefined) ?? 0);
      });
      const aborted = once(either, 'abort').then(() => {
        throw either.reason as Error;
      });
      refused.catch(() => undefined);
      aborted.catch(() => undefined);
      try {
        // `once` rejects on an `error` of the socket.
        await Promise.race([once(socket, 'close'), refused, aborted]);
      } finally {
        this.lose(socket);
      }
    });
  }

  /**
   * Says it on the live socket and resolves with the server's answer. Null when it cannot be said here: there is no socket, or it is too
   * large. Rejects when the socket dies or the signal fires before the answer: the server may have heard it or not.
   */
  ask(event: AgentEvent, data: object, signal: AbortSignal, traceparent?: string): Promise<FrameAnswer> | null {
    const socket = this.live;
    if (socket?.readyState !== WebSocket.OPEN) return null;
    const ref = this.refs++;
    const text = JSON.stringify({ event, ref, data, traceparent });
    if (Buffer.byteLength(text) > MAX_FRAME_BYTES) return null;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => settle(signal.reason as Error);
      const settle: Settle = (answer) => {
        signal.removeEventListener('abort', onAbort);
        this.waiting.delete(ref);
        if (answer instanceof Error) reject(answer);
        else resolve(answer);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.waiting.set(ref, settle);
      socket.send(text);
    });
  }

  private pass(text: string, listener: Listener): void {
    let frame: Partial<ServerFrame> | null;
    try {
      frame = JSON.parse(text) as Partial<ServerFrame> | null;
    } catch {
      return this.log.warn('a frame is not JSON');
    }
    const { event, ref, data } = frame ?? {};
    if (typeof event !== 'string') return this.log.warn('a frame has no event');
    if (event !== 'answer' && event !== 'error') return listener(event, data);
    const settle = this.waiting.get(ref ?? -1);
    const { status, body } = (data ?? {}) as Partial<FrameAnswer>;
    if (typeof status !== 'number') this.log.warn('an answer has no status');
    // The server did not take it for a frame: HTTP is the way that is left.
    else if (event === 'error') settle?.(new Error(`the server does not understand the frame (${status})`));
    else settle?.({ status, body });
    return undefined;
  }

  private lose(socket: WebSocket): void {
    // Closing before the handshake is over makes an error of it.
    socket.on('error', () => undefined);
    socket.terminate();
    // Another socket, or none, is live by the time a late one is lost.
    if (this.live !== socket) return;
    this.live = undefined;
    for (const settle of [...this.waiting.values()]) settle(new Error('the WebSocket is gone'));
  }
}
