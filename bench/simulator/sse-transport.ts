import type { CommandFrame, FrameAnswer, SessionRequest } from '@gwanje/contracts';
import type { Agent, ClientRequest } from 'node:http';
import { now } from '../processes/clock';
import { eventParser } from './event-parser';
import { Poster } from './poster';
import type { Identity, Link, Listener, Transport, Word } from './transport';
import { webOf } from './web';

/** What an agent promises of itself, and how often it is seen to; as the real one does. */
const ALIVE_EVERY_MS = 28_000;
const LOOK_MS = 1_000;

/** Server-sent events, read from the bare response, and a request for every word, over connections that all agents share. */
export class SseTransport implements Transport {
  private readonly poster: Poster;
  private readonly streams: Agent;
  private readonly links = new Set<SseLink>();
  private readonly timer = setInterval(() => this.keepHeard(), LOOK_MS);

  constructor(
    private readonly url: string,
    connections: number,
  ) {
    this.poster = new Poster(url, connections);
    this.streams = new (webOf(url).Agent)({ keepAlive: false, maxSockets: Infinity });
  }

  async check(): Promise<void> {
    // Every server speaks it.
  }

  open(identity: Identity, session: SessionRequest | undefined, listener: Listener): Link {
    const { url, poster, streams, links } = this;
    const closed = (why?: string): void => {
      links.delete(link);
      listener.closed(why);
    };
    const link = new SseLink(url, poster, streams, identity, { ...listener, closed });
    links.add(link);
    void link.open(session);
    return link;
  }

  close(): void {
    clearInterval(this.timer);
    this.poster.close();
    this.streams.destroy();
  }

  private keepHeard(): void {
    for (const link of this.links) link.keepHeard();
  }
}

/** One event stream. What its agent says does not need it, and is said also when it is gone. */
class SseLink implements Link {
  private stream?: ClientRequest;
  private gone = false;
  private promise = '';
  /** When it has to say something again, whatever it is. */
  private dueAt = Infinity;

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
        this.promise = `?aliveEveryMs=${ALIVE_EVERY_MS}`;
        this.isHeard();
        const { status, body } = await this.poster.post('/api/agents/session', this.identity.key, session);
        if (status >= 300) return this.end(`session answered ${status} ${body.slice(0, 300)}`);
      }
    } catch (error) {
      return this.end(`session: ${(error as Error).message}`);
    }
    if (!this.gone) this.listen();
  }

  say(word: Word, commandId: string, body: object): Promise<FrameAnswer> {
    this.isHeard();
    return this.poster.post(`/api/commands/${commandId}/${word}`, this.identity.key, body);
  }

  close(): void {
    this.end();
  }

  /** Says that it lives when its promise would be broken otherwise. */
  keepHeard(): void {
    if (now() < this.dueAt) return;
    this.isHeard();
    this.poster.post('/api/agents/alive', this.identity.key).catch(() => undefined /* the stream ends, too */);
  }

  private isHeard(): void {
    // Those that came at the same moment do not speak at the same moment.
    if (this.promise) this.dueAt = now() + ALIVE_EVERY_MS * (0.85 + 0.15 * Math.random());
  }

  private listen(): void {
    const { id, key } = this.identity;
    const headers = { Authorization: `Bearer ${key}`, Accept: 'text/event-stream' };
    const stream = webOf(this.url).request(`${this.url}/api/events/${id}${this.promise}`, { agent: this.streams, headers });
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
