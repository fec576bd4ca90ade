import type { FastifyReply } from 'fastify';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { HEARTBEAT_MS, openStreams } from './event-sink';
import { EventStream } from './sse';

/** As much of Fastify's reply as a stream asks for. */
const replyOf = (raw: ServerResponse): FastifyReply => ({ raw, hijack: () => undefined, getHeaders: () => ({}) }) as unknown as FastifyReply;

describe('EventStream', () => {
  let server: Server;
  let port: number;
  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    ({ port } = server.address() as AddressInfo);
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** A reader, its side of the connection, and the answer that it waits for. */
  const ask = async (): Promise<{ reader: IncomingMessage; stream: EventStream; socket: Socket }> => {
    const request = get({ port, host: '127.0.0.1' });
    const [, raw] = (await once(server, 'request')) as [unknown, ServerResponse];
    const { socket } = raw.req;
    const stream = await EventStream.open(replyOf(raw));
    const [reader] = (await once(request, 'response')) as [IncomingMessage];
    return { reader: reader.setEncoding('utf8'), stream, socket };
  };

  it('notices a reader that left before it was built', async () => {
    const asked = once(server, 'request') as Promise<[unknown, ServerResponse]>;
    const reader = get({ port, host: '127.0.0.1' }).on('error', () => undefined);
    const [, raw] = await asked;
    const left = once(raw, 'close');
    reader.destroy();
    await left;
    const before = openStreams.count;
    const stream = await EventStream.open(replyOf(raw));
    await new Promise<void>((resolve) => stream.onClose(resolve));
    expect([stream.open, openStreams.count]).toEqual([false, before]);
  });

  it('holds nothing of what Node reads and answers requests with, and still says what it has to say', async () => {
    const { reader, stream, socket } = await ask();
    expect(socket).toMatchObject({ parser: null, _httpMessage: null });
    const said: string[] = [];
    reader.on('data', (text: string) => said.push(text));
    stream.send('greeting', { text: '안녕' }, '7');
    stream.end();
    await once(reader, 'end');
    expect(reader.complete).toBe(true);
    expect(said.join('')).toBe('id: 7\nevent: greeting\ndata: {"text":"안녕"}\n\n');
    if (!socket.destroyed) await once(socket, 'close');
  });

  it('does not hear what its reader says, and ends when that has nothing to say any more', async () => {
    const reader = connect(port, '127.0.0.1');
    reader.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [, raw] = (await once(server, 'request')) as [unknown, ServerResponse];
    const stream = await EventStream.open(replyOf(raw));
    const asked: unknown[] = [];
    server.on('request', (request) => asked.push(request));
    reader.write('GET /more HTTP/1.1\r\nHost: x\r\n\r\nno request at all');
    stream.send('still', {});
    let said = '';
    reader.on('data', (bytes: Buffer) => (said += bytes.toString()));
    while (!said.includes('event: still')) await once(reader, 'data');
    expect([stream.open, asked]).toEqual([true, []]);
    const closed = new Promise<void>((resolve) => stream.onClose(resolve));
    reader.end();
    await closed;
    expect(stream.open).toBe(false);
  });

  it('is cut off when its reader does not take the end', async () => {
    const { reader, stream, socket } = await ask();
    reader.pause();
    while (!stream.congested) stream.send('piece', 'x'.repeat(500_000));
    const before = openStreams.count;
    const closed = once(socket, 'close');
    stream.end();
    expect(stream.open).toBe(false);
    await closed;
    expect(openStreams.count).toBe(before - 1);
    reader.destroy();
  });

  it('is finished when its reader has taken all of it, and cut off when that takes nothing', async () => {
    jest.useFakeTimers({ doNotFake: ['Date', 'hrtime', 'nextTick', 'queueMicrotask', 'setImmediate', 'clearImmediate'] });
    try {
      const readers = [await ask(), await ask()] as const;
      const closed = readers.map(({ socket }) => once(socket, 'close'));
      for (const { reader, stream } of readers) {
        reader.pause();
        while (!stream.congested) stream.send('piece', 'x'.repeat(500_000));
        stream.finish();
      }
      jest.advanceTimersByTime(HEARTBEAT_MS);
      expect(readers.map(({ socket }) => socket.destroyed)).toEqual([false, false]);
      const [taking, stuck] = readers;
      taking.reader.resume();
      await once(taking.reader, 'end');
      expect(taking.reader.complete).toBe(true);
      jest.advanceTimersByTime(HEARTBEAT_MS);
      await Promise.all(closed);
      stuck.reader.destroy();
    } finally {
      jest.useRealTimers();
    }
  });

  it.each([
    ['waits until what was asked before on its connection is answered', (first: ServerResponse) => first.end('first'), true],
    ['is over when its reader leaves while it waits', (_: ServerResponse, reader: Socket) => reader.destroy(), false],
  ])('%s', async (_, then, isOpen) => {
    const answers: ServerResponse[] = [];
    server.on('request', (_request, response: ServerResponse) => answers.push(response));
    const reader = connect(port, '127.0.0.1');
    reader.write('GET /first HTTP/1.1\r\nHost: x\r\n\r\nGET /stream HTTP/1.1\r\nHost: x\r\n\r\n');
    while (answers.length < 2) await once(server, 'request');
    const [first, second] = answers as [ServerResponse, ServerResponse];
    const opening = EventStream.open(replyOf(second));
    then(first, reader);
    const stream = await opening;
    expect(stream.open).toBe(isOpen);
    if (!isOpen) return;
    stream.send('hello', {});
    let said = '';
    while (!said.includes('event: hello')) said += String((await once(reader, 'data'))[0]);
    expect(said.indexOf('first')).toBeLessThan(said.indexOf('text/event-stream'));
    const closed = new Promise<void>((resolve) => stream.onClose(resolve));
    reader.destroy();
    await closed;
  });
});
