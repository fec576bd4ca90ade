import type { CommandFrame } from '@gwanje/contracts';
import { EventSource } from 'eventsource';

/** An agent under the test's control: it keeps what it receives and does only what the test says. */
export class FakeAgent {
  readonly received: CommandFrame[] = [];
  readonly cancelled: string[] = [];
  /** Whether the server said good-bye. */
  closed = false;
  private source?: EventSource;

  constructor(
    private readonly url: string,
    private readonly clientId: string,
    private readonly key: string,
  ) {}

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.source = new EventSource(`${this.url}/api/events/${this.clientId}`, {
        fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, Authorization: `Bearer ${this.key}` } }),
      });
      this.source.addEventListener('hello', () => resolve());
      this.source.addEventListener('error', (event) => reject(new Error(event.message ?? 'no stream')));
      this.source.addEventListener('command', (event) => this.received.push(JSON.parse(event.data as string) as CommandFrame));
      this.source.addEventListener('bye', () => (this.closed = true));
      this.source.addEventListener('cancel', (event) => this.cancelled.push((JSON.parse(event.data as string) as { id: string }).id));
    });
  }

  disconnect(): void {
    this.source?.close();
  }

  /** Posts as this agent; answers the status. */
  async post(path: string, body: unknown): Promise<number> {
    const answer = await fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${this.key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    await answer.arrayBuffer();
    return answer.status;
  }
}
