import { MAX_FRAME_BYTES } from '@gwanje/contracts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type IncomingMessage, type Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { InvalidInput, UpgradeRequired } from '../errors/errors';

/** What is needed to answer a request for a WebSocket with a yes. */
interface Offer {
  socket: Socket;
  /** Bytes that came behind the request. */
  head: Buffer;
}
const offers = new WeakMap<IncomingMessage, Offer>();
/** A frame that is a little too large is answered with its fault; one twice as large ends the connection (1009). */
const handshakes = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: 2 * MAX_FRAME_BYTES });

/**
 * Sends requests for a WebSocket through the router like all others, so that the global guard, the error filter and the log stand before
 * the upgrade; the route's handler says yes with `acceptWebSocket`, every other answer is plain HTTP and ends the connection.
 */
export function routeUpgrades(fastify: FastifyInstance): void {
  fastify.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    if (request.method !== 'GET' || request.headers.upgrade?.toLowerCase() !== 'websocket') return serveWithout(fastify.server, request, socket, head);
    socket.on('error', () => socket.destroy());
    offers.set(request, { socket, head });
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.end());
    fastify.routing(request, response);
  });
}

/** Upgrades the request, once. Throws while it can still be refused: UpgradeRequired for a plain request, InvalidInput for a wrong handshake. */
export function acceptWebSocket(request: FastifyRequest, reply: FastifyReply): WebSocket {
  const offer = offers.get(request.raw);
  if (!offer) {
    void reply.header('Upgrade', 'websocket');
    throw new UpgradeRequired('WebSocket');
  }
  const { 'sec-websocket-version': version, 'sec-websocket-key': key } = request.headers;
  if (version !== '13') throw new InvalidInput([{ path: 'Sec-WebSocket-Version', message: 'must be 13' }]);
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key ?? '')) throw new InvalidInput([{ path: 'Sec-WebSocket-Key', message: 'must be 16 bytes in base64' }]);
  reply.hijack();
  reply.raw.detachSocket(offer.socket);
  let accepted: WebSocket | undefined;
  // Without a `verifyClient` this calls back before it returns.
  handshakes.handleUpgrade(request.raw, offer.socket, offer.head, (socket) => (accepted = socket));
  if (!accepted) throw new Error('the handshake failed, or the peer has left');
  return accepted;
}

/** HTTP lets a server ignore an upgrade, such as the offer of HTTP/2 that some clients put into every request: it is served as if it had not asked. */
function serveWithout(server: Server, request: IncomingMessage, socket: Socket, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(at, at + 2);
    if (name.toLowerCase() !== 'upgrade') lines.push(`${name}: ${value}`);
  }
  if (head.length > 0) socket.unshift(head);
  socket.unshift(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
  server.emit('connection', socket);
}
