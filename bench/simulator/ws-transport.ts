import type { AgentEvent, CommandFrame, FrameAnswer, ServerFrame, SessionRequest } from '@gwanje/contracts';
import { WebSocket } from 'ws';
import { now } from '../processes/clock';
import type { Identity, Link, Listener, Transport, Word } from './transport';

/** WebSockets, one an agent, for everything that either side says: thousands of them fit into one process. */
export class WebSocketTransport implements Transport {
  constructor(private readonly url: string) {}

  /** Asks without an upgrade: a server that would upgrade answers 426, and the agent is not connected by it. */
  async check({ id, key }: Identity): Promise<void> {
    const { status } = await fetch(`${this.url}/api/ws/${id}`, { headers: { Authorization: `Bearer ${key}` } });
    if (status === 404)
      throw new Error('this server serves no WebSocket: GET /api/ws/:clientId answered 404; use --transport sse');
  }

  open({ id, key }: Identity, session: SessionRequest | undefined, listener: Listener): Link {
    const socket = new WebSocket(`${this.url.replace(/^http/, 'ws')}/api/ws/${id}`, {
      headers: { Authorization: `Bearer ${key}` },
      perMessageDeflate: false,
    });
    return new WebSocketLink(socket, session, listener);
  }

  close(): void {
    // Nothing is shared: every socket belongs to its link.
  }
}

interface Asker {
  resolve: (answer: FrameAnswer) => void;
  reject: (error: Error) => void;
}

/** One WebSocket: finds the asker of each answer by its `ref`, and tells all who still wait that it is gone. */
class WebSocketLink implements Link {
  private readonly askers = new Map<number, Asker>();
  private refs = 0;
  private live = false;
  /** Came before the session was compared. */
  private early: { frame: CommandFrame; arrivedAt: number }[] = [];
  private why?: string;
  private meant = false;

  constructor(
    private readonly socket: WebSocket,
    private readonly session: SessionRequest | undefined,
    private readonly listener: Listener,
  ) {
    socket.on('message', (data: Buffer) => this.hear(JSON.parse(data.toString()) as ServerFrame));
    socket.on('error', ({ message }) => (this.why ??= `the WebSocket: ${message}`));
    socket.on('close', () => this.lose());
  }

  say(word: Word, commandId: string, body: object): Promise<FrameAnswer> {
    if (!this.live) return Promise.reject(new Error('the WebSocket is not live'));
    return this.ask(word, { id: commandId, ...body });
  }

  close(): void {
    this.meant = true;
    this.socket.terminate();
  }

  private ask(event: AgentEvent, data: object): Promise<FrameAnswer> {
    const ref = this.refs++;
    return new Promise((resolve, reject) => {
      this.askers.set(ref, { resolve, reject });
      this.socket.send(JSON.stringify({ event, ref, data }));
    });
  }

  private hear({ event, ref, data }: ServerFrame): void {
    if (event === 'answer') this.settle(ref, data as FrameAnswer);
    else if (event === 'command') this.take(data as CommandFrame, now());
    else if (event === 'hello') void this.agree();
    // A problem document: the frame was none to the server, and saying it again would not make it one.
    else if (event === 'error') this.settle(ref, { status: (data as { status: number }).status, body: data });
  }

  private settle(ref: number | undefined, answer: FrameAnswer): void {
    const asker = this.askers.get(ref ?? -1);
    if (!asker) return this.fail(`an answer to nothing that was said (ref ${ref})`);
    this.askers.delete(ref ?? -1);
    asker.resolve(answer);
  }

  private take(frame: CommandFrame, arrivedAt: number): void {
    if (this.live) this.listener.command(frame, arrivedAt);
    else this.early.push({ frame, arrivedAt });
  }

  /** Both sides agree on what is in flight before the first command is taken. */
  private async agree(): Promise<void> {
    try {
      if (this.session) {
        const { status, body } = await this.ask('session', this.session);
        if (status >= 300) return this.fail(`session answered ${status} ${JSON.stringify(body).slice(0, 300)}`);
      }
    } catch {
      return; // The socket is gone, and whoever listens knows.
    }
    this.live = true;
    this.listener.live();
    for (const { frame, arrivedAt } of this.early.splice(0)) this.listener.command(frame, arrivedAt);
  }

  private fail(why: string): void {
    this.why ??= why;
    this.socket.terminate();
  }

  private lose(): void {
    this.live = false;
    for (const { reject } of this.askers.values()) reject(new Error('the WebSocket is gone'));
    this.askers.clear();
    // What ends in the middle of the handshake is an error to `ws`, even when it was meant to end.
    this.listener.closed(this.meant ? undefined : this.why);
  }
}
