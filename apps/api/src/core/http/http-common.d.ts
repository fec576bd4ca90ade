/** A part of Node that has no types: how its HTTP server gives a parser back when a connection is upgraded. */
declare module 'node:_http_common' {
  import type { Socket } from 'node:net';
  export function freeParser(parser: object, request: object | null, socket: Socket): void;
}
