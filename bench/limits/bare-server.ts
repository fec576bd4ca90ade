import type { CommandFrame } from '@gwanje/contracts';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { v7 as uuid } from 'uuid';
import { WebSocketServer, type WebSocket } from 'ws';
import { Rota } from '../../apps/api/src/core/http/rota';
import { answer } from '../processes/child';
import { now } from '../processes/clock';
import { GroupedRows } from './grouped-rows';

const TICK_MS = 10;

interface Kept {
  clientId: string;
  result?: unknown;
}

type Frame = Pick<CommandFrame, 'id' | 'action' | 'payload' | 'priority' | 'attempt' | 'timeoutMs'>;

/**
 * The whole loop on `node:http`: no log-in, no check of anything, no queue, no seals. What the same agents and the same load generator
 * reach here, they can reach nowhere: in memory it is the ceiling of the benchmark itself, and with the rows of its lives in PostgreSQL
 * that of any server that is to write them.
 */
const listeners = new Map<string, (frame: Frame) => void>();
const commands = new Map<string, Kept>();
const EVENT_STREAM = { 'Content-Type': 'text/event-stream' };
/** A comment, and a ping, as often as the server has one for a stream on which nothing happens. */
const comments = new Rota(14_000);
const pings = new Rota(28_000);
/** Not there: all is in memory. */
let rows: GroupedRows | undefined;

async function push(clientId: string, payload: Frame['payload']): Promise<string> {
  const id = uuid();
  commands.set(id, { clientId });
  const tell = listeners.get(clientId);
  if (rows) await rows.write(tell ? 'dispatched' : 'pending', id, clientId);
  const frame: Frame = { id, action: 'noop', payload, priority: 5, attempt: 1, timeoutMs: 300_000 };
  tell?.(frame);
  return id;
}

/** `tell` gets the frames of this client from now on, and `beat` is called in its turn; answers how it ends. */
function attend(clientId: string, tell: (frame: Frame) => void, rota: Rota, beat: () => void): () => void {
  const member = { beat };
  listeners.set(clientId, tell);
  rota.join(member);
  return () => {
    rota.leave(member);
    // Whoever came back is not gone because the connection before has ended.
    if (listeners.get(clientId) === tell) listeners.delete(clientId);
  };
}

function listen(clientId: string, response: ServerResponse): void {
  response.writeHead(200, EVENT_STREAM).write('event: hello\ndata: {}\n\n');
  response.socket?.setNoDelay(true);
  const send = (text: string): void => void response.write(text);
  const tell = (frame: Frame): void => send(`id: ${frame.id}\nevent: command\ndata: ${JSON.stringify(frame)}\n\n`);
  response.on(
    'close',
    attend(clientId, tell, comments, () => send(':\n\n')),
  );
}

/** The other transport: each word of the agent is a frame, with a `ref` for its answer. */
function converse(clientId: string, socket: WebSocket): void {
  const send = (event: string, data: object, ref?: number): void => socket.send(JSON.stringify({ event, ref, data }));
  const tell = (frame: Frame): void => send('command', frame);
  socket.on('message', (text: Buffer) => {
    const { event, ref, data } = JSON.parse(text.toString()) as { event: string; ref: number; data: { id?: string } };
    const path = data.id ? `/api/commands/${data.id}/${event}` : `/api/agents/${event}`;
    act(path, data).then(
      ([status, body]) => send('answer', { status, body }, ref),
      ({ message }: Error) => send('answer', { status: 500, body: { message } }, ref),
    );
  });
  socket.on(
    'close',
    attend(clientId, tell, pings, () => socket.ping()),
  );
  send('hello', {});
}

/** One stamped event every few ms: a write and a read, and nothing else. */
function tick(response: ServerResponse): void {
  response.writeHead(200, EVENT_STREAM).flushHeaders();
  response.socket?.setNoDelay(true);
  const timer = setInterval(() => response.write(`event: tick\ndata: ${now()}\n\n`), TICK_MS);
  response.on('close', () => clearInterval(timer));
}

async function act(path: string, body: Record<string, unknown>): Promise<[number, object]> {
  if (path === '/api/commands')
    return [
      201,
      { id: await push(body['clientId'] as string, body['payload'] as Frame['payload']), status: 'pending' },
    ];
  if (path === '/api/commands/batch') {
    const clientIds = [...listeners.keys()];
    await Promise.all(clientIds.map((clientId) => push(clientId, {})));
    return [201, { batchId: randomUUID(), count: clientIds.length }];
  }
  if (path === '/api/agents/session') return [200, { sessionId: randomUUID(), drop: [] }];
  if (path === '/api/agents/alive') return [200, {}];
  const [, , , id = '', what] = path.split('/');
  const kept = commands.get(id);
  if (!kept) return [404, {}];
  if (rows) await rows.write(what === 'result' ? 'ended' : 'started', id, kept.clientId);
  if (what === 'result') kept.result = body;
  return [200, {}];
}

function reply(response: ServerResponse, status: number, value: object): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
    .end(text);
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? '';
const clientIdIn = (path: string): string => path.split('/')[3] ?? '';

function serve(request: IncomingMessage, response: ServerResponse): void {
  const path = pathOf(request);
  if (request.method === 'GET') return path === '/ticks' ? tick(response) : listen(clientIdIn(path), response);
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    act(path, JSON.parse(Buffer.concat(parts).toString() || '{}') as Record<string, unknown>).then(
      ([status, value]) => reply(response, status, value),
      (error: Error) => reply(response, 500, { message: error.message }),
    );
  });
}

const methods = {
  /** Answers its port. */
  start: async (durable: { database: string; clientIds: string[] } | null): Promise<number> => {
    if (durable) rows = await GroupedRows.on(durable.database, durable.clientIds);
    const server = createServer(serve);
    new WebSocketServer({ server }).on('connection', (socket, request) =>
      converse(clientIdIn(pathOf(request)), socket),
    );
    await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
    return (server.address() as AddressInfo).port;
  },
};
export type BareServerMethods = typeof methods;

answer(methods);
