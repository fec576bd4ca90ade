import type { CommandFrame, ResultReport } from '@gwanje/contracts';
import type { Span } from '@gwanje/tracing';
import type { Handler, HandlerResult } from '../handlers/handler';
import type { ApiClient } from '../link/api-client';
import { messageOf } from '../waiting';
import { OutputPump } from './output-pump';

export type EndReason = 'cancelled' | 'timed_out' | 'superseded' | 'dropped' | 'stopping';

/** A handler that does not answer its signal must not hold its slot for ever; longer than killing a tree takes. */
const HANDLER_GRACE_MS = 7_000;

/** Owns one running attempt: its signal, timeout and output; it must never touch the journal. */
export class Attempt {
  readonly output: OutputPump;
  /** Set by the runner: settles when the slot is free. */
  over: Promise<void> = Promise.resolve();
  reason?: EndReason;
  private readonly ending = new AbortController();
  private readonly outputEnding = new AbortController();

  constructor(
    readonly frame: CommandFrame,
    private readonly api: ApiClient,
    /** From the reception of the command to the end of what it ran. */
    readonly span: Span,
  ) {
    this.output = new OutputPump(frame, (id, body, signal) => api.output(id, body, signal), this.outputEnding.signal);
  }

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  /** The first reason counts. */
  end(reason: EndReason): void {
    this.reason ??= reason;
    this.ending.abort();
    if (reason === 'superseded' || reason === 'dropped') this.outputEnding.abort();
  }

  /** Only after the server's yes to the start: the timeout counts from there. */
  async run(handler: Handler, idempotent: boolean): Promise<ResultReport> {
    // Not by the machine's clock, which may be set back meanwhile.
    const began = performance.now();
    const timer = setTimeout(() => this.end('timed_out'), Math.min(this.frame.timeoutMs, 2 ** 31 - 1));
    // The end may have been asked for before the beginning.
    const result = this.reason ? { success: false } : await this.handle(handler);
    clearTimeout(timer);
    const report = { attempt: this.frame.attempt, ...result, durationMs: Math.round(performance.now() - began) };
    // What was done before the end could reach it is done, and must not be called cancelled.
    return this.reason && !result.success ? { ...report, ...this.verdict(this.reason, idempotent) } : report;
  }

  private verdict(reason: EndReason, idempotent: boolean): Pick<ResultReport, 'error' | 'outcome'> {
    if (reason === 'timed_out') {
      return { outcome: 'timed_out', error: `not finished after ${this.frame.timeoutMs} ms: killed by the agent` };
    }
    if (reason === 'cancelled') return { outcome: 'cancelled', error: 'cancelled' };
    const error = 'the agent was stopped while the command ran';
    return idempotent ? { error } : { outcome: 'indeterminate', error };
  }

  private async handle(handler: Handler): Promise<HandlerResult> {
    const { frame, signal, output } = this;
    const work = handler
      .run({
        frame,
        signal,
        output,
        progress: (news) => output.progress(news),
        upload: (...file) => this.upload(...file),
      })
      .catch((error: unknown): HandlerResult => ({ success: false, error: messageOf(error) }));
    const deaf = new Promise<HandlerResult>((resolve) => {
      const giveUp = (): void => void setTimeout(() => resolve({ success: false }), HANDLER_GRACE_MS).unref();
      signal.addEventListener('abort', giveUp, { once: true });
    });
    return Promise.race([work, deaf]);
  }

  private async upload(name: string, type: string, bytes: Buffer): ReturnType<Parameters<Handler['run']>[0]['upload']> {
    const answer = await this.api.artifact(this.frame.id, name, type, bytes, this.signal);
    if (!answer.ok) throw new Error(`the server refused the artifact (${answer.status}): ${answer.detail}`);
    return answer.body;
  }
}
