import { DestroyRef, inject, Injectable, signal } from '@angular/core';
import { END_STATES, type CommandState } from '@gwanje/contracts';
import { EventLine, type LineState, type Word } from '../../../core/events/event-line';
import { FETCH } from '../../../core/events/event-stream';
import { Session } from '../../../core/session/session';

/** One line of what a command printed; `mark` stands between two attempts. */
export interface OutputLine {
  stream: 'stdout' | 'stderr' | 'mark';
  text: string;
}
interface Chunk {
  attempt: number;
  stream: 'stdout' | 'stderr';
  text: string;
}
export interface Progress {
  percent?: number;
  message?: string;
}

/**
 * What one command prints, line by line, while it is printed: by the command's own stream, which resumes after a break without a gap and
 * ends with the command. However much comes, it is shown once for each frame of the screen.
 */
@Injectable()
export class OutputFeed {
  private readonly session = inject(Session);
  private readonly fetch = inject(FETCH);
  private line?: EventLine;
  private lastEventId = '';
  private all: OutputLine[] = [];
  /** Where the last line of each stream is, as long as it has no end. */
  private readonly unfinished = new Map<string, number>();
  private attempt = 1;
  private frame = 0;

  /** The same array with more in it, under a new number: copying it would cost more the longer it is. */
  readonly version = signal(0);
  readonly state = signal<LineState>('connecting');
  readonly progress = signal<Progress | null>(null);

  constructor() {
    inject(DestroyRef).onDestroy(() => this.close());
  }

  get lines(): readonly OutputLine[] {
    return this.all;
  }

  watch(id: string): void {
    this.close();
    this.all = [];
    this.unfinished.clear();
    this.lastEventId = '';
    this.attempt = 1;
    this.progress.set(null);
    this.open(id);
  }

  /** After a retry there is more to come: goes on where it stopped. */
  resume(id: string): void {
    if (this.state() === 'over') this.open(id);
  }

  private open(id: string): void {
    this.state.set('connecting');
    this.line = new EventLine({
      address: `/api/commands/${encodeURIComponent(id)}/stream`,
      fetch: this.fetch,
      token: () => this.session.token,
      renew: () =>
        this.session.refresh().then(
          () => true,
          () => false,
        ),
      lastEventId: () => this.lastEventId,
      forget: () => (this.lastEventId = ''),
      say: (word) => this.take(word),
    });
  }

  private close(): void {
    this.line?.close();
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  private take(word: Word): void {
    if (word.kind === 'state') return this.state.set(word.state);
    if (word.kind !== 'event') return;
    if (word.id !== undefined) this.lastEventId = word.id;
    const data = JSON.parse(word.data) as unknown;
    if (word.event === 'output') this.append(data as Chunk);
    else if (word.event === 'progress') this.progress.set(data as Progress);
    else if (word.event === 'status') this.note(data as { status: CommandState; attempt: number });
    else return;
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.version.update((version) => version + 1);
    });
  }

  private note({ status, attempt }: { status: CommandState; attempt: number }): void {
    this.begin(attempt);
    if (!END_STATES.some((state) => state === status)) return;
    this.progress.set(null);
    // The server ends it too: this is not a break that would have to be mended.
    this.line?.close();
    this.state.set('over');
  }

  private begin(attempt: number): void {
    if (attempt === this.attempt) return;
    this.attempt = attempt;
    this.unfinished.clear();
    if (this.all.length > 0) this.all.push({ stream: 'mark', text: String(attempt) });
  }

  private append({ attempt, stream, text }: Chunk): void {
    this.begin(attempt);
    const [first = '', ...rest] = text.split('\n');
    const open = this.unfinished.get(stream);
    const line = open === undefined ? undefined : this.all[open];
    if (line) line.text += first;
    else this.push(stream, first);
    for (const next of rest) this.push(stream, next);
    if (rest.at(-1) !== '') return;
    // An end of line is not the beginning of an empty one.
    this.all.pop();
    this.unfinished.delete(stream);
  }

  private push(stream: Chunk['stream'], text: string): void {
    this.unfinished.set(stream, this.all.push({ stream, text }) - 1);
  }
}
