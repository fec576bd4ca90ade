import type { FastifyReply } from 'fastify';
import { once } from 'node:events';
import { createServer, get, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { openStreams } from './event-sink';
import { EventStream } from './sse';

/** As much of Fastify's reply as a stream asks for. */
const replyOf = (raw: ServerResponse): FastifyReply => ({ raw, hijack: () => undefined, getHeaders: () => ({}) }) as unknown as FastifyReply;

describe('EventStream', () => {
  it('notices a reader that left before it was built', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const asked = once(server, 'request') as Promise<[unknown, ServerResponse]>;
    const reader = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }).on('error', () => undefined);
    const [, raw] = await asked;
    const left = once(raw, 'close');
    reader.destroy();
    await left;
    const before = openStreams.count;
    const stream = new EventStream(replyOf(raw));
    await new Promise<void>((resolve) => stream.onClose(resolve));
    expect([stream.open, openStreams.count]).toEqual([false, before]);
    server.close();
  });
});
