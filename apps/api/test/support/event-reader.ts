import { createParser, type EventSourceMessage } from 'eventsource-parser';

/** Reads one event stream of the server and keeps what came. */
export class EventReader {
  readonly events: EventSourceMessage[] = [];
  closed = false;

  private constructor(
    readonly status: number,
    private readonly aborter: AbortController,
  ) {}

  static async open(url: string, token: string, lastEventId?: string): Promise<EventReader> {
    const aborter = new AbortController();
    const response = await fetch(url, {
      headers: { Authorization: `Bearer ${token}`, ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }) },
      signal: aborter.signal,
    });
    const reader = new EventReader(response.status, aborter);
    void reader.read(response.body as unknown as AsyncIterable<Uint8Array>);
    return reader;
  }

  /** The data of the events of this name, oldest first. */
  of<T>(event: string): T[] {
    return this.events.filter((message) => message.event === event).map((message) => JSON.parse(message.data) as T);
  }

  get lastId(): string | undefined {
    return this.events.findLast((message) => message.id !== undefined)?.id;
  }

  close(): void {
    this.aborter.abort();
  }

  private async read(body: AsyncIterable<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const parser = createParser({ onEvent: (event) => this.events.push(event) });
    try {
      for await (const bytes of body) parser.feed(decoder.decode(bytes, { stream: true }));
    } catch {
      // The test closed it, or the server went away: both are an end.
    }
    this.closed = true;
  }
}
