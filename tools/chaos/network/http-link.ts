import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { sleep } from '../../servers/process';
import type { Random } from '../random';

export interface Unexpected {
  at: number;
  call: string;
  status: number;
  body: string;
}

/** Probabilities, for each POST that passes. */
export interface HttpFaults {
  /** It arrives twice, at the same time. */
  duplicate?: number;
  /** It is held back for up to two seconds: others overtake it. */
  reorder?: number;
  /** It is done, and the caller sees its connection end instead of the answer. */
  loseAnswer?: number;
  /** A copy of it arrives again, up to eight seconds later. */
  replay?: number;
}

interface Call {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

const MOST_REPLAY_MS = 8_000;
/** A server answers within 30 s of its own time, and may be frozen for 20 s and, after the next pause, for 20 s more. */
const PATIENCE_MS = 75_000;
/** Statuses that a server in trouble answers with; 500 is never one of them. */
const TROUBLE = [502, 503, 504];

/** The load balancer in front of the servers, which knows requests: it can repeat, delay and half lose them. */
export class HttpLink {
  faults: HttpFaults = {};
  /** How often something was done to a request. */
  disturbed = 0;
  /** Answers that no trouble excuses. */
  readonly unexpected: Unexpected[] = [];
  private readonly keepAlive = new Agent({ keepAlive: true, maxSockets: 256 });
  /** Streams have connections of their own, however many there are. */
  private readonly streams = new Agent({ keepAlive: false, maxSockets: Infinity });
  private readonly sockets = new Set<Socket>();
  private readonly replays = new Set<Promise<void>>();
  private turn = 0;

  private constructor(
    private readonly server: Server,
    readonly port: number,
    private readonly targets: readonly number[],
    private readonly random: Random,
  ) {}

  static async open(targets: readonly number[], random: Random): Promise<HttpLink> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const link = new HttpLink(server, (server.address() as AddressInfo).port, targets, random);
    server.on('connection', (socket: Socket) => {
      link.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => link.sockets.delete(socket));
    });
    server.on('request', (incoming, answer) => void link.pass(incoming, answer).catch(() => answer.destroy()));
    server.on('upgrade', (incoming, socket, head) => link.upgrade(incoming, socket as Socket, head));
    return link;
  }

  mend(): void {
    this.faults = {};
  }

  /** Resolves when no copy is on its way any more. */
  async quiet(): Promise<void> {
    await Promise.all(this.replays);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.keepAlive.destroy();
    this.streams.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async pass(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/', headers } = incoming;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const call: Call = { method, path, headers, body: Buffer.concat(chunks) };
    const { reorder = 0, loseAnswer = 0, ...repeats } = method === 'POST' ? this.faults : {};
    const { duplicate = 0, replay = 0 } = mayRepeat(call) ? repeats : {};
    if (this.strikes(replay)) this.replayLater(call, this.random.whole(200, MOST_REPLAY_MS));
    if (this.strikes(reorder)) await sleep(this.random.whole(50, 2_000));
    if (this.strikes(duplicate)) void this.send(call).then(drain, () => undefined);
    const loses = this.strikes(loseAnswer);
    const response = await this.send(call).catch(() => undefined);
    if (!response) {
      answer.writeHead(502, { 'content-type': 'text/plain' }).end('no server');
      return;
    }
    if (loses) {
      drain(response);
      answer.destroy();
      return;
    }
    answer.writeHead(response.statusCode ?? 502, response.headers);
    answer.flushHeaders();
    response.on('error', () => answer.destroy());
    response.once('close', () => !response.complete && answer.destroy());
    answer.once('close', () => response.destroy());
    response.pipe(answer);
  }

  private strikes(probability: number): boolean {
    const strikes = this.random.chance(probability);
    if (strikes) this.disturbed++;
    return strikes;
  }

  private replayLater(call: Call, ms: number): void {
    const copy = sleep(ms)
      .then(() => this.send(call))
      .then(drain, () => undefined)
      .finally(() => this.replays.delete(copy));
    this.replays.add(copy);
  }

  /** By turns; a server that is not there is passed over, and each is tried once. Rejects when none is. */
  private async send(call: Call): Promise<IncomingMessage> {
    let fault: unknown;
    const first = this.turn++;
    for (let tries = 0; tries < this.targets.length; tries++) {
      try {
        return await this.sendTo(this.target(first + tries), call);
      } catch (error) {
        fault = error;
        // Once it may have been heard, it is for the caller to say it again.
        if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
      }
    }
    throw fault;
  }

  private sendTo(port: number, { method, path, headers, body }: Call): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      let answered = false;
      const isStream = headers.accept === 'text/event-stream';
      const outgoing = request(
        { host: '127.0.0.1', port, method, path, headers, agent: isStream ? this.streams : this.keepAlive },
        (response) => {
          answered = true;
          const status = response.statusCode ?? 0;
          if (status >= 500 && !TROUBLE.includes(status)) this.complain(`${method} ${path}`, status, response);
          resolve(response);
        },
      );
      outgoing.setTimeout(PATIENCE_MS, () => {
        if (answered) return;
        this.unexpected.push({
          at: Date.now(),
          call: `${method} ${path}`,
          status: 0,
          body: `no answer within ${PATIENCE_MS} ms, ${new Date().toISOString()}`,
        });
        outgoing.destroy(new Error('no answer'));
      });
      outgoing.once('error', reject);
      outgoing.end(body);
    });
  }

  private complain(call: string, status: number, response: IncomingMessage): void {
    const complaint: Unexpected = { at: Date.now(), call, status, body: '' };
    this.unexpected.push(complaint);
    response.on('data', (bytes: Buffer) => (complaint.body += bytes.toString()));
  }

  private upgrade({ method, url, rawHeaders }: IncomingMessage, near: Socket, head: Buffer): void {
    const lines = rawHeaders.reduce((text, word, at) => text + word + (at % 2 ? '\r\n' : ': '), '');
    const first = this.turn++;
    const reach = (tries: number): void => {
      const far = connect(this.target(first + tries), '127.0.0.1', () => {
        far.write(`${method} ${url} HTTP/1.1\r\n${lines}\r\n`);
        far.write(head);
        near.pipe(far).pipe(near);
        far.once('close', () => near.destroy());
      });
      near.once('close', () => far.destroy());
      far.on('error', ({ code }: NodeJS.ErrnoException) => {
        if (code === 'ECONNREFUSED' && tries + 1 < this.targets.length) reach(tries + 1);
        else near.destroy();
      });
    };
    near.on('error', () => undefined);
    reach(0);
  }

  private target(turn: number): number {
    const port = this.targets[turn % this.targets.length];
    if (port === undefined) throw new Error('no server behind this link');
    return port;
  }
}

/** What agents say, and what a client has given a key. Without one, a client that orders twice means it. */
function mayRepeat({ headers }: Call): boolean {
  return headers['idempotency-key'] !== undefined || headers.authorization?.startsWith('Bearer sk_') === true;
}

function drain(response: IncomingMessage): void {
  response.on('error', () => undefined);
  response.resume();
}
