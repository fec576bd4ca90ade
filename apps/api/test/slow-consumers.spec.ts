import type { CommandFrame } from '@gwanje/contracts';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { FastifyReply } from 'fastify';
import { createServer } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { HEARTBEAT_MS, MAX_BUFFERED_BYTES } from '../src/core/http/event-sink';
import { EventStream } from '../src/core/http/sse';
import { eventually, TestEnvironment } from './support/environment';

const PATIENCE_MS = 60_000;
const KIB = 1_024;
/** Together more than what the system's own buffers hold for a consumer. */
const PIECES = 32;
const TEXT = 'x'.repeat(500 * KIB);
/** What may be written before it is noticed that there is too much: one event, and what stands around it. */
const MOST_BYTES = MAX_BUFFERED_BYTES + TEXT.length + 10 * KIB;

jest.setTimeout(3 * PATIENCE_MS);

/** A consumer that takes 1 kB a second, until it is told to hurry. */
class SlowReader {
  readonly events: EventSourceMessage[] = [];
  closed = false;
  private readonly socket: Socket;
  private readonly timer: NodeJS.Timeout;
  private readonly parser = createParser({ onEvent: (event) => this.events.push(event) });

  constructor(url: string, token: string, lastEventId?: string) {
    const { hostname, port, pathname } = new URL(url);
    this.socket = connect(Number(port), hostname);
    // By HTTP/1.0 the answer is not cut into chunks, and its head has no event.
    this.socket.write(`GET ${pathname} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n`);
    this.socket.write(lastEventId ? `Last-Event-ID: ${lastEventId}\r\n\r\n` : '\r\n');
    this.socket.on('error', () => undefined).on('close', () => (this.closed = true));
    this.timer = setInterval(() => this.take(this.socket.read(KIB) as Buffer | null), 1_000);
  }

  get lastId(): string | undefined {
    return this.events.findLast(({ id }) => id !== undefined)?.id;
  }

  hurry(): void {
    clearInterval(this.timer);
    this.socket.on('data', (bytes: Buffer) => this.take(bytes)).resume();
  }

  pause(): void {
    this.socket.removeAllListeners('data').pause();
  }

  close(): void {
    clearInterval(this.timer);
    this.socket.destroy();
  }

  private take(bytes: Buffer | null): void {
    if (bytes) this.parser.feed(bytes.toString('latin1'));
  }
}

describe('a consumer that reads 1 kB a second', () => {
  let env: TestEnvironment;
  let mostBuffered: number;
  const readers: SlowReader[] = [];
  beforeAll(async () => (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());
  beforeEach(() => {
    mostBuffered = 0;
    const { write } = Socket.prototype as { write: (this: Socket, ...args: unknown[]) => boolean };
    jest.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...args: unknown[]) {
      const answer = write.apply(this, args);
      mostBuffered = Math.max(mostBuffered, this.writableLength);
      return answer;
    });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    readers.splice(0).forEach((reader) => reader.close());
  });

  const read = (url: string, token: string, lastEventId?: string): SlowReader => {
    const reader = new SlowReader(url, token, lastEventId);
    readers.push(reader);
    return reader;
  };

  /** The server's side of each connection to it. */
  const streamsOn = async (): Promise<{ streams: EventStream[]; url: string; stop: () => Promise<unknown> }> => {
    const streams: EventStream[] = [];
    const server = createServer((_, raw) => {
      void EventStream.open({ raw, hijack: () => undefined, getHeaders: () => ({}) } as unknown as FastifyReply).then((stream) => streams.push(stream));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const stop = (): Promise<unknown> => {
      streams.forEach((stream) => stream.end());
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    };
    return { streams, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, stop };
  };

  it('is cut off at the next word when it is too far behind, and costs no more memory than that', async () => {
    const { streams, url, stop } = await streamsOn();
    const [slow, quick] = [read(url, 'x'), read(url, 'x')];
    quick.hurry();
    await eventually(() => expect(streams).toHaveLength(2));
    const closed = streams.map((stream) => new Promise<void>((resolve) => stream.onClose(resolve)));
    let written = 0;
    await eventually(async () => {
      for (const stream of streams.filter(({ congested }) => !congested)) stream.send('piece', TEXT, `${written++}`);
      expect(streams.some(({ congested }) => congested)).toBe(true);
    }, PATIENCE_MS);
    // Whoever keeps up is served on; the other is not waited for.
    for (const stream of streams) if (stream.congested) stream.send('word', 'one too many');
    await Promise.race(closed);
    expect(streams.filter(({ open }) => open)).toHaveLength(1);
    expect(mostBuffered).toBeLessThanOrEqual(MOST_BYTES);
    expect(slow.events.length).toBeLessThan(written);
    await stop();
  });

  it('is left in peace by the heartbeat while it takes what waits, and cut off when it takes nothing', async () => {
    jest.useFakeTimers({ doNotFake: ['Date', 'hrtime', 'nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate', 'setTimeout', 'clearTimeout'] });
    try {
      const { streams, url, stop } = await streamsOn();
      const reader = read(url, 'x');
      await eventually(() => expect(streams).toHaveLength(1));
      const [stream] = streams as [EventStream];
      const crowd = (): Promise<void> => eventually(() => {
        if (!stream.congested) stream.send('piece', TEXT);
        expect(stream.congested).toBe(true);
      }, PATIENCE_MS);
      for (let round = 0; round < 2; round++) {
        await crowd();
        jest.advanceTimersByTime(HEARTBEAT_MS);
        expect(stream.open).toBe(true);
        reader.hurry();
        await eventually(() => expect(stream.congested).toBe(false));
        reader.pause();
      }
      await crowd();
      jest.advanceTimersByTime(HEARTBEAT_MS);
      expect(stream.open).toBe(true);
      jest.advanceTimersByTime(HEARTBEAT_MS);
      expect(stream.open).toBe(false);
      await stop();
    } finally {
      jest.useRealTimers();
    }
  });

  it('as an agent gets all of its commands, each once, when it hurries; and others do not wait for it', async () => {
    const client = await env.client('slow', { concurrency: 64 });
    const url = `${env.url}/api/events/slow`;
    const slow = read(url, client.clientKey);
    const ids: string[] = [];
    for (let n = 0; n < PIECES; n++) ids.push(await env.command(client.id, { payload: { echo: TEXT }, timeoutMs: 600_000 }));
    await eventually(() => expect(mostBuffered).toBeGreaterThan(MAX_BUFFERED_BYTES), PATIENCE_MS);
    const other = await env.client('quick');
    const agent = await env.connect(other);
    const id = await env.command(other.id);
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([id]));
    expect(mostBuffered).toBeLessThanOrEqual(MOST_BYTES);

    // It may have been cut off meanwhile, or be now: then it comes back, as an agent does.
    const received = new Set<string>();
    let current = slow;
    current.hurry();
    await eventually(() => {
      const commands = current.events.filter(({ event }) => event === 'command').map(({ data }) => JSON.parse(data) as CommandFrame);
      expect(new Set(commands.map((command) => command.id)).size).toBe(commands.length);
      for (const command of commands) received.add(command.id);
      if (current.closed) {
        current = read(url, client.clientKey);
        current.hurry();
      }
      expect([...received].sort()).toEqual([...ids].sort());
    }, PATIENCE_MS);
    expect(mostBuffered).toBeLessThanOrEqual(MOST_BYTES);
  });

  it('of a command\'s output misses nothing of it', async () => {
    const client = await env.client('talkative');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    const url = `${env.url}/api/commands/${id}/stream`;
    let current = read(url, env.token);
    for (let seq = 0; seq < PIECES; seq++) {
      expect(await agent.post(`/api/commands/${id}/output`, { chunks: [{ seq, stream: 'stdout', text: TEXT }] })).toBe(200);
    }
    expect(await agent.post(`/api/commands/${id}/result`, { success: true })).toBe(200);
    const seen: number[] = [];
    current.hurry();
    await eventually(() => {
      if (!current.closed) throw new Error(`${seen.length + current.events.length} events so far`);
      seen.push(...current.events.filter(({ event }) => event === 'output').map(({ data }) => (JSON.parse(data) as { seq: number }).seq));
      const ended = current.events.some(({ event, data }) => event === 'status' && data.includes('completed'));
      if (!ended) {
        current = read(url, env.token, current.lastId);
        current.hurry();
      }
      expect(ended).toBe(true);
    }, PATIENCE_MS);
    expect(seen).toEqual(Array.from({ length: PIECES }, (_, seq) => seq));
    expect(mostBuffered).toBeLessThanOrEqual(MOST_BYTES);
  });
});
