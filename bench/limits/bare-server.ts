import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answer } from '../processes/child';
import { now } from '../processes/clock';

const TICK_MS = 10;

interface Kept {
  clientId: string;
  result?: unknown;
}

/**
 * The whole loop on `node:http` in memory: no log-in, no database, no queue, nothing durable. What the same agents and the same load
 * generator reach here, they can reach nowhere: it is the ceiling of the benchmark itself.
 */
const streams = new Map<string, ServerResponse>();
const commands = new Map<string, Kept>();
const EVENT_STREAM = { 'Content-Type': 'text/event-stream' };

function push(clientId: string, payload: unknown): string {
  const id = randomUUID();
  commands.set(id, { clientId });
  const frame = { id, action: 'noop', payload, priority: 5, attempt: 1, timeoutMs: 300_000 };
  streams.get(clientId)?.write(`id: ${id}\nevent: command\ndata: ${JSON.stringify(frame)}\n\n`);
  return id;
}

function listen(clientId: string, response: ServerResponse): void {
  response.writeHead(200, EVENT_STREAM).write('event: hello\ndata: {}\n\n');
  response.socket?.setNoDelay(true);
  streams.set(clientId, response);
  response.on('close', () => streams.delete(clientId));
}

/** One stamped event every few ms: a write and a read, and nothing else. */
function tick(response: ServerResponse): void {
  response.writeHead(200, EVENT_STREAM).flushHeaders();
  response.socket?.setNoDelay(true);
  const timer = setInterval(() => response.write(`event: tick\ndata: ${now()}\n\n`), TICK_MS);
  response.on('close', () => clearInterval(timer));
}

function act(path: string, body: Record<string, unknown>): [number, object] {
  if (path === '/api/commands')
    return [201, { id: push(body['clientId'] as string, body['payload']), status: 'pending' }];
  if (path === '/api/commands/batch') {
    const clientIds = [...streams.keys()];
    for (const clientId of clientIds) push(clientId, {});
    return [201, { batchId: randomUUID(), count: clientIds.length }];
  }
  if (path === '/api/agents/session') return [200, { sessionId: randomUUID(), drop: [] }];
  const [, , , id = '', what] = path.split('/');
  const kept = commands.get(id);
  if (!kept) return [404, {}];
  if (what === 'result') kept.result = body;
  return [200, {}];
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  if (request.method === 'GET') return path === '/ticks' ? tick(response) : listen(path.split('/')[3] ?? '', response);
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    const [status, value] = act(path, JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>);
    const text = JSON.stringify(value);
    response
      .writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) })
      .end(text);
  });
}

const methods = {
  start: async (_: null): Promise<number> => {
    const server = createServer(serve);
    await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve));
    return (server.address() as AddressInfo).port;
  },
};
export type BareServerMethods = typeof methods;

answer(methods);
