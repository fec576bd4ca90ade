import type { CommandFrame, FrameAnswer, ServerFrame } from '@gwanje/contracts';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { eventually } from './environment';

/** An agent on a WebSocket, under the test's control: it keeps what it receives and says only what the test says. */
export class SocketAgent {
  readonly frames: ServerFrame[] = [];
  /** The close code; undefined while the socket is open. */
  closed?: number;
  private refs = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (text: Buffer) => this.frames.push(JSON.parse(text.toString()) as ServerFrame));
    socket.on('close', (code) => (this.closed = code));
  }

  /** Resolves after the server's hello. */
  static async connect(url: string, key: string, client = 'me'): Promise<SocketAgent> {
    const agent = new SocketAgent(new WebSocket(`${url.replace(/^http/, 'ws')}/api/ws/${client}`, { headers: { Authorization: `Bearer ${key}` } }));
    await once(agent.socket, 'open');
    await eventually(() => expect(agent.of('hello')).toHaveLength(1));
    return agent;
  }

  /** The data of the frames of this event, oldest first. */
  of<T>(event: string): T[] {
    return this.frames.filter((frame) => frame.event === event).map((frame) => frame.data as T);
  }

  get commands(): CommandFrame[] {
    return this.of<CommandFrame>('command');
  }

  say(data: string | Buffer): void {
    this.socket.send(data);
  }

  async ask(event: string, data: object): Promise<FrameAnswer> {
    const ref = ++this.refs;
    this.say(JSON.stringify({ event, ref, data }));
    return this.answerTo(ref);
  }

  async answerTo(ref: number): Promise<FrameAnswer> {
    let answer: ServerFrame | undefined;
    await eventually(() => {
      answer = this.frames.find((frame) => frame.event === 'answer' && frame.ref === ref);
      expect(answer).toBeDefined();
    });
    return answer?.data as FrameAnswer;
  }

  /** Reads nothing any more, as a machine that hangs. */
  freeze(): void {
    this.socket.pause();
  }

  disconnect(): void {
    this.socket.terminate();
  }
}
