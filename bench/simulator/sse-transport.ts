import type { CommandFrame } from '@gwanje/contracts';
import { type Agent, request } from 'node:http';
import { now } from '../processes/clock';
import { eventParser } from './event-parser';
import type { Identity, Link, Listener, Transport } from './transport';

/** Server-sent events, read from the bare response of `node:http`: thousands of streams fit into one process. */
export class SseTransport implements Transport {
  async check(): Promise<void> {
    // Every server speaks it.
  }

  open(url: string, { id, key }: Identity, sockets: Agent, listener: Listener): Link {
    const headers = { Authorization: `Bearer ${key}`, Accept: 'text/event-stream' };
    const stream = request(`${url}/api/events/${id}`, { agent: sockets, headers });
    let open = true;
    const close = (): void => {
      if (!open) return;
      open = false;
      stream.destroy();
      listener.closed();
    };
    stream.on('response', (response) => {
      response.on('close', close).on('error', close);
      if (response.statusCode !== 200) return close();
      const parse = eventParser((event, data) => {
        if (event === 'command') listener.command(JSON.parse(data) as CommandFrame, now());
        else if (event === 'hello') listener.hello();
      });
      response.setEncoding('utf8');
      response.on('data', parse);
    });
    stream.on('error', close).on('close', close);
    stream.end();
    return { close };
  }
}
