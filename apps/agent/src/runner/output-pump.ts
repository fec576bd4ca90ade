import type { CommandFrame, OutputChunk, OutputReport } from '@gwanje/contracts';
import { StringDecoder } from 'node:string_decoder';
import type { Answer } from '../link/api-client';

type StreamName = OutputChunk['stream'];
type Progress = NonNullable<OutputReport['progress']>;
type Send = (id: string, body: OutputReport, signal?: AbortSignal) => Promise<Answer<unknown>>;

const BATCH_MS = 50;
const BATCH_BYTES = 16_384;
/** One POST stays well below any body limit of the server. */
const POST_CHUNKS = 8;
const BACKLOG_BYTES = 1_048_576;

/** Owns the order and the sequence numbers of one attempt's output; it must never send two batches at once. */
export class OutputPump {
  private readonly decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  private waiting: { stream: StreamName; text: string }[] = [];
  private waitingSize = 0;
  private progressNews?: Progress;
  private seq = 0;
  private timer?: NodeJS.Timeout;
  private sending?: Promise<void>;
  private refused = false;
  private closed = false;

  constructor(
    private readonly frame: CommandFrame,
    private readonly send: Send,
    private readonly signal: AbortSignal,
  ) {}

  /** Await it before reading more: while the server is away, the program waits instead of filling the memory. */
  async write(stream: StreamName, bytes: Buffer): Promise<void> {
    this.add(stream, this.decoders[stream].write(bytes));
    while (this.waitingSize > BACKLOG_BYTES && !this.refused && !this.signal.aborted) await this.flush();
  }

  progress(news: Progress): void {
    this.progressNews = news;
    this.schedule();
  }

  /** Resolves when the server has everything, or wants no more of it. */
  async close(): Promise<void> {
    this.closed = true;
    for (const stream of ['stdout', 'stderr'] as const) this.add(stream, this.decoders[stream].end());
    while (this.hasNews()) await this.flush();
    await this.sending;
  }

  private add(stream: StreamName, text: string): void {
    if (text === '' || this.refused) return;
    // The database's text type has no NUL.
    const clean = text.replaceAll('\0', '\uFFFD');
    for (let at = 0; at < clean.length;) {
      const last = this.waiting.at(-1);
      const room = last?.stream === stream ? BATCH_BYTES - last.text.length : 0;
      const piece = cut(clean, at, room > 1 ? room : BATCH_BYTES);
      if (last && room > 1) last.text += piece;
      else this.waiting.push({ stream, text: piece });
      at += piece.length;
    }
    this.waitingSize += clean.length;
    if (this.waitingSize >= BATCH_BYTES) void this.flush();
    else this.schedule();
  }

  private schedule(): void {
    if (this.closed) return;
    this.timer ??= setTimeout(() => void this.flush(), BATCH_MS);
  }

  private hasNews(): boolean {
    return !this.refused && !this.signal.aborted && (this.waiting.length > 0 || this.progressNews !== undefined);
  }

  private flush(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.sending ??= this.sendOne().finally(() => {
      this.sending = undefined;
      if (this.hasNews()) this.schedule();
    });
    return this.sending;
  }

  private async sendOne(): Promise<void> {
    if (!this.hasNews()) return;
    const batch = this.waiting.splice(0, POST_CHUNKS);
    for (const { text } of batch) this.waitingSize -= text.length;
    const progress = this.progressNews;
    this.progressNews = undefined;
    const chunks = batch.map((piece) => ({ seq: this.seq++, ...piece }));
    const body = { attempt: this.frame.attempt, chunks, ...(progress ? { progress } : {}) };
    try {
      this.refused = !(await this.send(this.frame.id, body, this.signal)).ok;
    } catch {
      // Only the signal ends the repeating: the attempt is given up, and its output with it.
      this.refused = true;
    }
    if (this.refused) this.waiting = [];
  }
}

/** Never between the two halves of a surrogate pair. */
function cut(text: string, from: number, size: number): string {
  const end = from + size;
  const half = end < text.length && /[\uD800-\uDBFF]/.test(text.charAt(end - 1));
  return text.slice(from, half ? end - 1 : end);
}
