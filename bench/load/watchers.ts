import { Agent, request } from 'node:http';
import { answer } from '../processes/child';

const sockets = new Agent({ maxSockets: Infinity });
const tally = { open: 0, events: 0, bytes: 0 };

/** Counts what comes and does not look into it: a hundred browsers would be a hundred machines. */
function watch(url: string, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const stream = request(`${url}/api/events`, {
      agent: sockets,
      headers: { Authorization: `Bearer ${token}`, Accept: 'text/event-stream' },
    });
    stream.on('error', reject).on('response', (response) => {
      if (response.statusCode !== 200) return reject(new Error(`GET /api/events answered ${response.statusCode}`));
      tally.open++;
      response.on('error', () => undefined).on('close', () => tally.open--);
      response.on('data', (part: Buffer) => {
        tally.bytes += part.length;
        for (let at = part.indexOf('event: '); at >= 0; at = part.indexOf('event: ', at + 7)) tally.events++;
      });
      resolve();
    });
    stream.end();
  });
}

const methods = {
  watch: async ({ url, token, count }: { url: string; token: string; count: number }): Promise<void> => {
    await Promise.all(Array.from({ length: count }, () => watch(url, token)));
  },
  tally: (_: null): typeof tally => tally,
};
export type WatcherMethods = typeof methods;

answer(methods);
