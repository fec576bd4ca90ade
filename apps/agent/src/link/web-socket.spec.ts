import { MAX_FRAME_BYTES, type ServerFrame } from '@gwanje/contracts';
import { Logger } from '@nestjs/common';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { UpgradeRefused } from './transport';
import { WebSocketLink } from './web-socket';

const SILENCE_MS = 2_000;

describe('WebSocketLink', () => {
  let http: Server;
  let sockets: WebSocketServer;
  let link: WebSocketLink;
  let url: string;
  let stopping: AbortController;
  let events: [string, unknown][];

  beforeAll(() => {
    Logger.overrideLogger(false);
  });
  beforeEach(async () => {
    http = createServer((_, answer) => void answer.writeHead(404).end());
    sockets = new WebSocketServer({ noServer: true });
    stopping = new AbortController();
    events = [];
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
    const own = { dataDir: '', ownPaths: [], concurrency: 1, transport: 'ws' as const };
    link = new WebSocketLink({
      serverUrl: url,
      clientKey: 'sk_a_b',
      silenceMs: SILENCE_MS,
      aliveEveryMs: 1_000,
      ...own,
    });
  });
  afterEach(async () => {
    stopping.abort();
    http.closeAllConnections();
    for (const socket of sockets.clients) socket.terminate();
    await new Promise((resolve) => http.close(resolve));
  });

  /** From here on the server speaks WebSocket. */
  const speak = (): void => {
    http.on('upgrade', (request, socket, head) => {
      sockets.handleUpgrade(request, socket, head, (peer) => sockets.emit('connection', peer, request));
    });
  };
  const listen = (): Promise<void> => link.listen(stopping.signal, (event, data) => events.push([event, data]));
  /** Both ends of a live connection, and how it ended. */
  const connected = async (): Promise<{ peer: WebSocket; over: Promise<string>; request: IncomingMessage }> => {
    speak();
    const arrival = once(sockets, 'connection') as Promise<[WebSocket, IncomingMessage]>;
    const over = listen().then(
      () => 'ended',
      (error: Error) => error.message,
    );
    const [peer, request] = await arrival;
    peer.send('{"event":"hello","data":{}}');
    await until(() => expect(events).toEqual([['hello', {}]]));
    return { peer, over, request };
  };
  const ask = (data: object = {}): ReturnType<WebSocketLink['ask']> => link.ask('result', data, stopping.signal);
  const say = (peer: WebSocket, frame: ServerFrame): void => peer.send(JSON.stringify(frame));

  it('sends its key in a header, and gives each answer to its question', async () => {
    const { peer, request } = await connected();
    expect(request.headers.authorization).toBe('Bearer sk_a_b');
    expect(request.url).toBe('/api/ws/me');
    const asked: { event: string; ref: number; data: object }[] = [];
    peer.on('message', (text: Buffer) => asked.push(JSON.parse(text.toString()) as never));
    const [one, two] = [ask({ id: 'one' }), ask({ id: 'two' })];
    await until(() =>
      expect(asked.map(({ event, data }) => [event, data])).toEqual([
        ['result', { id: 'one' }],
        ['result', { id: 'two' }],
      ]),
    );
    say(peer, { event: 'answer', ref: asked[1]?.ref, data: { status: 409, body: { detail: 'no' } } });
    say(peer, { event: 'answer', ref: asked[0]?.ref, data: { status: 200, body: {} } });
    expect(await Promise.all([one, two])).toEqual([
      { status: 200, body: {} },
      { status: 409, body: { detail: 'no' } },
    ]);
  });

  it('takes nothing that it cannot carry', async () => {
    expect(ask()).toBeNull();
    await connected();
    expect(ask({ data: 'x'.repeat(MAX_FRAME_BYTES) })).toBeNull();
  });

  it('owns up to what it does not know when the socket dies before the answer', async () => {
    const { peer, over } = await connected();
    const lost = ask();
    peer.terminate();
    await expect(lost).rejects.toThrow('the WebSocket is gone');
    expect(await over).toBe('ended');
    expect(ask()).toBeNull();
  });

  it('gives a question back that the server does not understand, or that is given up', async () => {
    const { peer } = await connected();
    peer.on('message', (text: Buffer) => {
      const { ref } = JSON.parse(text.toString()) as { ref: number };
      if (ref === 0) say(peer, { event: 'error', ref, data: { status: 400 } });
    });
    await expect(ask()).rejects.toThrow('does not understand');
    const giveUp = new AbortController();
    const given = link.ask('start', {}, giveUp.signal);
    giveUp.abort(new Error('enough'));
    await expect(given).rejects.toThrow('enough');
  });

  it('goes on after frames that say nothing', async () => {
    const { peer } = await connected();
    for (const text of ['no JSON', 'null', '[]', '{}', '{"event":"answer","ref":99,"data":null}', '{"event":"answer"}'])
      peer.send(text);
    say(peer, { event: 'bye', data: { reason: 'shutdown' } });
    await until(() => expect(events.at(-1)).toEqual(['bye', { reason: 'shutdown' }]));
  });

  it('tells an answer in HTTP from a connection that fails', async () => {
    const refusal: unknown = await listen().catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(UpgradeRefused);
    expect(refusal).toMatchObject({ status: 404 });
    http.on('upgrade', (_, socket) => socket.destroy());
    expect(await listen().catch((error: unknown) => error)).not.toBeInstanceOf(UpgradeRefused);
  });

  it('gives up a socket that is silent, and keeps one that is pinged', async () => {
    const { peer, over } = await connected();
    const began = Date.now();
    const pings = setInterval(() => peer.ping(), SILENCE_MS / 10);
    await until(() => expect(Date.now() - began).toBeGreaterThan(2 * SILENCE_MS));
    expect(peer.readyState).toBe(peer.OPEN);
    clearInterval(pings);
    expect(await over).toBe(`no byte for ${SILENCE_MS} ms`);
  });

  it('ends at once when it is told to', async () => {
    const { over } = await connected();
    stopping.abort(new Error('stopping'));
    expect(await over).toBe('stopping');
  });
});

/** Tries the expectation again until it holds, for at most ten seconds. */
async function until(check: () => void): Promise<void> {
  for (const end = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
