/** For specs: one request of the stream, and the server's end of it. */
export class Line {
  readonly headers: Record<string, string>;
  private readonly waiting: ((value: { done: boolean; value?: Uint8Array }) => void)[] = [];
  private readonly answer: { resolve: (response: unknown) => void; reject: (error: Error) => void };
  readonly response: Promise<unknown>;
  closed = false;

  constructor(init: RequestInit) {
    this.headers = init.headers as Record<string, string>;
    let answer: Line['answer'] | undefined;
    this.response = new Promise((resolve, reject) => (answer = { resolve, reject }));
    this.answer = answer as unknown as Line['answer'];
    init.signal?.addEventListener('abort', () => {
      this.closed = true;
      this.answer.reject(new Error('aborted'));
      this.end();
    });
  }

  async respond(status: number): Promise<void> {
    const read = (): Promise<unknown> => new Promise((resolve) => this.waiting.push(resolve));
    this.answer.resolve({ status, ok: status === 200, body: { getReader: () => ({ read }) } });
    await settle();
  }

  async fail(): Promise<void> {
    this.answer.reject(new TypeError('Failed to fetch'));
    await settle();
  }

  async write(bytes: string | Uint8Array): Promise<void> {
    this.waiting.shift()?.({ done: false, value: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes });
    await settle();
  }

  end(): void {
    this.waiting.shift()?.({ done: true });
  }
}

/** Lets what is due happen; for fake timers. */
export const settle = (): Promise<void> => jest.advanceTimersByTimeAsync(0).then(() => undefined);
