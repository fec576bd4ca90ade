import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { AgentConfig } from '../config';
import { wait } from '../waiting';
import { Connections } from './connections';

describe('Connections', () => {
  let server: Server;
  let connections: Connections;
  let opened: number;
  let held: ServerResponse[];

  beforeEach(async () => {
    [opened, held] = [0, []];
    server = createServer((request, answer) => {
      if (request.url === '/held') held.push(answer);
      else answer.end(request.headers.authorization);
    });
    server.on('connection', () => opened++).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    connections = new Connections({ serverUrl, clientKey: 'sk_a_b' } as AgentConfig);
  });
  afterEach(async () => {
    connections.renew();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** A connection is free again a moment after its answer has been read. */
  const ask = async (path = '/'): Promise<string> => (await connections.fetch(path)).text().finally(() => wait(20));

  it('are kept, and say whose they are', async () => {
    expect([await ask(), await ask()]).toEqual(['Bearer sk_a_b', 'Bearer sk_a_b']);
    expect(opened).toBe(1);
  });

  it('are new after a loss, and what is under way on the others comes to its end', async () => {
    const [kept, underWay] = [ask(), ask('/held')];
    await kept;
    while (held.length === 0) await wait(5);
    expect(opened).toBe(2);
    connections.renew();
    await ask();
    expect(opened).toBe(3);
    held[0]?.end('late');
    expect(await underWay).toBe('late');
    await ask();
    expect(opened).toBe(3);
  });
});
