import { computed, inject, Injectable, signal } from '@angular/core';
import { END_STATES, LEGAL_MOVES } from '@gwanje/contracts';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Command } from '../../core/http/wire';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { problemWords, refusalWords } from '../../shared/server-words';
import { CommandList } from './command-list';
import { CommandsApi } from './commands-api';

/** So many calls at once. */
const AT_ONCE = 6;

/** The commands of the list that a person has chosen, and what can be done to all of them. */
@Injectable()
export class Selection {
  private readonly api = inject(CommandsApi);
  private readonly list = inject(CommandList);
  private readonly i18n = inject(I18n);
  private readonly user = inject(Session).user;
  private readonly ids = signal<ReadonlySet<string>>(new Set());

  /** Only what is still on the screen. */
  readonly chosen = computed(() => this.list.rows().filter(({ id }) => this.ids().has(id)));
  readonly isAll = computed(() => this.chosen().length > 0 && this.chosen().length === this.list.rows().length);
  readonly cancellable = computed(() =>
    may(this.user(), 'commands.cancel')
      ? this.chosen().filter(({ status }) => !END_STATES.some((end) => end === status))
      : [],
  );
  readonly retryable = computed(() =>
    may(this.user(), 'commands.retry')
      ? this.chosen().filter(({ status }) => LEGAL_MOVES[status].includes('pending'))
      : [],
  );
  readonly isOffered = computed(() => may(this.user(), 'commands.cancel', 'commands.retry'));
  readonly busy = signal(false);
  /** What came of it; until somebody chooses or asks for something else, which it would seem to be about. */
  readonly outcome = signal<{ done: number; problems: readonly Problem[] } | null>(null);
  /** Why some were refused, each reason once. */
  readonly reasons = computed(() => [
    ...new Set(
      this.outcome()?.problems.map(
        (problem) =>
          refusalWords(problem, this.i18n.language()) ?? problemWords(problem, this.i18n.text(), this.i18n.language()),
      ),
    ),
  ]);

  has(id: string): boolean {
    return this.ids().has(id);
  }

  toggle(id: string): void {
    this.outcome.set(null);
    this.ids.update((ids) => new Set(ids.has(id) ? [...ids].filter((other) => other !== id) : [...ids, id]));
  }

  toggleAll(): void {
    this.outcome.set(null);
    this.ids.set(this.isAll() ? new Set() : new Set(this.list.rows().map(({ id }) => id)));
  }

  cancel(): Promise<void> {
    return this.each(this.cancellable(), (id) => this.api.cancel(id));
  }

  retry(): Promise<void> {
    return this.each(this.retryable(), (id) => this.api.retry(id));
  }

  private async each(commands: readonly Command[], act: (id: string) => Promise<unknown>): Promise<void> {
    if (this.busy()) return;
    this.busy.set(true);
    const outcome = { done: 0, problems: [] as Problem[] };
    const queue = commands.map(({ id }) => id).values();
    const work = async (): Promise<void> => {
      for (const id of queue) {
        await act(id).then(
          () => outcome.done++,
          (error: unknown) => outcome.problems.push(toProblem(error)),
        );
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.outcome.set(outcome);
    this.ids.set(new Set());
    this.busy.set(false);
  }
}
