import type { CommandFrame, ResultReport } from '@gwanje/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { Journal } from '../journal/journal';
import { ApiClient } from '../link/api-client';
import { messageOf } from '../waiting';

/** Owns bringing finished results to the server; it must never forget one before the server answered for it. */
@Injectable()
export class ResultPoster {
  private readonly log = new Logger('result');
  private readonly posting = new Map<string, Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly api: ApiClient,
    private readonly journal: Journal,
  ) {}

  /** Any number of calls for the same attempt make one post. */
  post(frame: CommandFrame, result: ResultReport): Promise<void> {
    const key = `${frame.id}/${frame.attempt}`;
    const running = this.posting.get(key);
    if (running) return running;
    const work = this.send(frame, result)
      .catch((error: unknown) => {
        if (!this.stopping.signal.aborted) this.log.error(`${key}: ${messageOf(error)}`);
      })
      .finally(() => this.posting.delete(key));
    this.posting.set(key, work);
    return work;
  }

  /** Ends the repeating, and tries once more for each result that is still here. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.posting.values());
    const lastWords = this.journal.all().map(async ({ frame, state, result }) => {
      if (state === 'finished' && result) await this.send(frame, result, true).catch(() => undefined);
    });
    await Promise.all(lastWords);
  }

  private async send(frame: CommandFrame, result: ResultReport, last = false): Promise<void> {
    const options = last ? { once: true, signal: AbortSignal.timeout(3_000) } : { signal: this.stopping.signal };
    // kill point: poster.before-post
    let answer = await this.api.result(frame, result, options);
    // kill point: poster.after-post
    if (!answer.ok && [400, 413, 422].includes(answer.status)) {
      // The outcome must arrive even when the server cannot take the data.
      const { data: _, ...rest } = result;
      const note = `the server refused the result's data (${answer.status}: ${answer.detail})`;
      const error = result.error ? `${result.error}; ${note}` : note;
      answer = await this.api.result(frame, { ...rest, error }, options);
    }
    if (answer.ok) {
      this.log.log(
        `${frame.id} ${frame.action}: ${result.outcome ?? (result.success ? 'success' : 'failure')} reported`,
      );
    } else {
      this.log.warn(`${frame.id}: the server refused the result (${answer.status}): ${answer.detail}`);
      // Any other refusal is not about this command (a revoked key, say): the next session tries again.
      if (answer.status !== 404 && answer.status !== 409) return;
    }
    await this.journal.remove(frame);
  }
}
