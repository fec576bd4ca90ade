import type { AlertMessage } from '@gwanje/contracts';
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  id: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  message: AlertMessage;
}

/** Somebody's program that gets webhooks: it keeps what came, and answers what the test says. */
export class HookReceiver {
  readonly received: Received[] = [];
  /** What the next calls are answered, one after the other; 204 after that. */
  readonly answers: number[] = [];
  /** What every call is answered while it is set. */
  always?: number;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async start(): Promise<HookReceiver> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const receiver = new HookReceiver(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        const { url: path = '', headers } = request;
        receiver.received.push({ id: String(headers['x-gwanje-delivery']), path, headers, body, message: JSON.parse(body) as AlertMessage });
        response.writeHead(receiver.always ?? receiver.answers.shift() ?? 204, { Location: '/elsewhere' }).end();
      });
    });
    return receiver;
  }

  get messages(): AlertMessage[] {
    return this.received.map(({ message }) => message);
  }

  stop(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}

/** As the documentation tells receivers to check it. */
export function isSigned({ headers, body }: Pick<Received, 'headers' | 'body'>, secret: string): boolean {
  const expected = createHmac('sha256', secret).update(`${String(headers['x-gwanje-timestamp'])}.${body}`).digest('hex');
  return headers['x-gwanje-signature'] === `sha256=${expected}`;
}
