import { request } from 'node:http';
import type { Identity, Link, Transport } from './transport';

/** WebSocket, where the server has it. */
export class WebSocketTransport implements Transport {
  async check(url: string, { id, key }: Identity): Promise<void> {
    const status = await new Promise<number>((resolve, reject) => {
      const probe = request(`${url}/api/ws/${id}`, {
        headers: {
          Authorization: `Bearer ${key}`,
          Connection: 'Upgrade',
          Upgrade: 'websocket',
          'Sec-WebSocket-Version': '13',
          'Sec-WebSocket-Key': 'Z3dhbmplLWJlbmNobWFyaw==',
        },
      });
      probe.on('response', (response) => resolve(response.statusCode ?? 0));
      probe.on('upgrade', (_response, socket) => {
        socket.destroy();
        resolve(101);
      });
      probe.on('error', reject);
      probe.end();
    });
    const what =
      status === 404 ? 'WebSocket is not served by this server' : 'the simulator does not speak WebSocket yet';
    throw new Error(`${what}: GET /api/ws/:clientId answered ${status}; use --transport sse`);
  }

  open(): Link {
    throw new Error('the simulator does not speak WebSocket yet: use --transport sse');
  }
}
