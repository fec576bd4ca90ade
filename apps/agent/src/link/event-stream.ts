import { Injectable, Logger } from '@nestjs/common';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { AgentConfig } from '../config';
import { Connections } from './connections';
import { type Listener, type Transport, whileHeard } from './transport';

/** Owns one stream of server-sent events at a time; it must never know what an event means. */
@Injectable()
export class EventStream implements Transport {
  private readonly log = new Logger('stream');

  constructor(
    private readonly config: AgentConfig,
    private readonly connections: Connections,
  ) {}

  listen(signal: AbortSignal, listener: Listener): Promise<void> {
    return whileHeard(this.config.silenceMs, signal, async (either, heard) => {
      const response = await this.connections.fetch(`/api/events/me?aliveEveryMs=${this.config.aliveEveryMs}`, {
        headers: { Accept: 'text/event-stream' },
        signal: either,
      });
      if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
      const decoder = new TextDecoder();
      const parser = createParser({ onEvent: (message) => this.pass(message, listener) });
      for await (const bytes of response.body as AsyncIterable<Uint8Array>) {
        heard();
        parser.feed(decoder.decode(bytes, { stream: true }));
      }
    });
  }

  private pass({ event = 'message', data }: EventSourceMessage, listener: Listener): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(data || '{}');
    } catch {
      return this.log.warn(`event ${event} is not JSON`);
    }
    listener(event, parsed);
  }
}
