import type { CommandFrame, FrameAnswer, SessionRequest } from '@gwanje/contracts';
import { Agent, type ClientRequest, request } from 'node:http';
import { now } from '../processes/clock';
import { eventParser } from './event-parser';
import { Poster } from './poster';
import type { Identity, Link, Listener, Transport, Word } from './transport';

/** Server-sent events, read from the bare response of `node:http`, and a request for every word, over connections that all agents share. */
export class SseTransport implements Transport {
  private readonly poster: Poster;
  private readonly streams = new Agent({ keepAlive: false, maxSockets: Infinity });

  constructor(
    private readonly url: string,
    connections: number,
  ) {
    this.poster = new Poster(url, connections);
  }

  async check(): Promise<void> {
    // Every server speaks it.
  }

  open(identity: Identity, session: SessionRequest | undefined, listener: Listener): Link {
    const link = new SseLink(this.url, this.poster, this.streams, identity, listener);
    void link.open(session);
    return link;
  }

  close(): void {
    this.poster.close();
    this.streams.destroy();
  }
}

/** One event stream. What its agent says does not need it, and is said also when it is gone. */
class SseLink implements Link {
  private stream?: ClientRequest;
  private gone = false;

  constructor(
    private readonly url: string,
    private readonly poster: Poster,
    private readonly streams: Agent,
    private readonly identity: Identity,
    private readonly listener: Listener,
  ) {}

  /** The session first: when the stream is live, both sides agree on what is in flight. */
  async open(session: SessionRequest | undefined): Promise<void> {
    try {
      if (session) {
        const { status, body } = await this.poster.post('/api/agents/session', this.identity.key, session);
        if (status >= 300) return this.end(`session answered ${status} ${body.slice(0, 300)}`);
      }
    } catch (error) {
      return this.end(`session: ${(error as Error).message}`);
    }
    if (!this.gone) this.listen();
  }

  say(word: Word, commandId: string, body: object): Promise<FrameAnswer> {
    return this.poster.post(`/api/commands/${commandId}/${word}`, this.identity.key, body);
  }

  close(): void {
    this.end();
  }

  private listen(): void {
    const { id, key } = this.identity;
    const headers = { Authorization: `Bearer ${key}`, Accept: 'text/event-stream' };
    const stream = request(`${this.url}/api/events/${id}`, { agent: this.streams, headers });
    this.stream = stream;
    stream.on('response', (response) => {
      response.on('close', () => this.end()).on('error', () => this.end());
      if (response.statusCode !== 200) return this.end(`the event stream answered ${response.statusCode}`);
      const parse = eventParser((event, data) => {
        if (event === 'command') this.listener.command(JSON.parse(data) as CommandFrame, now());
        else if (event === 'hello') this.listener.live();
      });
      response.setEncoding('utf8');
      response.on('data', parse);
    });
    stream.on('error', ({ message }) => this.end(`the event stream: ${message}`)).on('close', () => this.end());
    stream.end();
  }

  private end(why?: string): void {
    if (this.gone) return;
    this.gone = true;
    this.stream?.destroy();
    this.listener.closed(why);
  }
}
