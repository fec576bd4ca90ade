import { freeParser } from 'node:_http_common';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What Node's HTTP server listens to on a connection, by the names of its listeners; an upgrade takes the same away (`lib/_http_server.js`). */
const LISTENED = ['data', 'end', 'drain', 'close', 'error', 'timeout'];
const NAME = /^(bound )?socketOn/;

type HttpSocket = Socket & { parser?: object | null };

/**
 * Takes the connection of an answer that has begun, and that nothing follows, from Node's HTTP server, as an upgrade would: what is read
 * is thrown away, and its parser (10 KiB: nodejs/node#61375), its request and its response are held no longer. `closeAllConnections`
 * does not know of it any more. In a Node that is made otherwise nothing happens: the connection costs more, and works as before.
 */
export function takeOver(response: ServerResponse, socket: HttpSocket): void {
  const { parser } = socket;
  const found = LISTENED.flatMap((event) => socket.listeners(event).flatMap((listener) => (NAME.test(listener.name) ? [{ event, listener: listener as () => void }] : [])));
  if (!parser || found.length !== LISTENED.length) return;
  for (const { event, listener } of found) socket.removeListener(event, listener);
  response.detachSocket(socket);
  freeParser(parser, response.req, socket);
  socket.on('error', () => socket.destroy()).on('end', () => socket.end()).resume();
}
