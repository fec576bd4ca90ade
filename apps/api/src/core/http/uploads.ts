import type { FastifyInstance, onRequestAsyncHookHandler } from 'fastify';
import type { AgentKeys } from '../access/access';
import { BYTES_ROUTE } from './bodies';

/** Files that are read into memory at the same time; whoever comes later waits, and nothing of it is read. */
const AT_ONCE = 4;
/** Without a byte from somebody whose file is being read. */
const SILENCE_MS = 30_000;
const OF_A_BODY = ['content-type', 'content-length', 'transfer-encoding'];

/** Reads files only of agents, and a few at a time. The guard refuses all others as it does everywhere, and nothing of their bodies is read before. */
export function admitUploads(fastify: FastifyInstance, keys: AgentKeys): void {
  let free = AT_ONCE;
  const waiting: (() => void)[] = [];
  const admit = (): Promise<void> => (free > 0 ? Promise.resolve(void free--) : new Promise((resolve) => waiting.push(resolve)));
  const leave = (): void => {
    const next = waiting.shift();
    if (next) next();
    else free++;
  };
  const hold: onRequestAsyncHookHandler = async ({ headers, raw }, reply) => {
    const key = /^Bearer (sk_\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (!key || !(await keys.find(key))) {
      for (const name of OF_A_BODY) delete headers[name];
      return;
    }
    await admit();
    if (reply.raw.destroyed) leave();
    else reply.raw.once('close', leave);
    raw.setTimeout(SILENCE_MS, () => raw.destroy());
    // The store may take its time.
    raw.once('end', () => raw.setTimeout(0));
  };
  fastify.addHook('onRoute', (route) => {
    if (route.url === BYTES_ROUTE && route.method === 'POST') route.onRequest = [route.onRequest ?? [], hold].flat();
  });
}
