import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { RouterLink } from '@angular/router';
import { COMMAND_STATES, END_STATES } from '@gwanje/contracts';
import { auditTime, filter, merge } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { ProblemNotice } from '../../shared/problem-notice';
import { StateChip } from '../../shared/state-chip';
import { type Batch, CommandsApi } from './commands-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** News come one by one; the counts are read again at most this often. */
const GATHER_MS = 300;

/** How far a batch is: its commands by state, live. */
@Component({
  selector: 'gw-batch-progress',
  imports: [MatButtonModule, MatProgressBarModule, ProblemNotice, RouterLink, StateChip],
  template: `
    @if (batch(); as batch) {
      <h2 id="batch">{{ words().batch.title(batch.action) }}</h2>
      <mat-progress-bar aria-labelledby="batch" mode="determinate" [value]="(100 * done()) / batch.total" />
      <p role="status">{{ words().batch.progress(formats.number(done()), formats.number(batch.total)) }}</p>
      <ul>
        @for (state of counts(); track state.name) {
          <li>
            <a routerLink="/commands" [queryParams]="{ batch: id(), status: state.name }">
              <gw-state-chip [state]="state.name" /> {{ formats.number(state.count) }}
            </a>
          </li>
        }
      </ul>
      <a matButton routerLink="/commands">{{ words().batch.leave }}</a>
    }
    @if (problem(); as problem) {
      <gw-problem-notice [problem]="problem" />
    }
  `,
  styles: `
    :host {
      display: block;
      margin-bottom: 16px;
      padding: 16px;
      border: 1px solid var(--mat-sys-outline-variant);
      border-radius: 12px;
    }
    p {
      margin: 8px 0;
    }
    ul {
      display: flex;
      flex-wrap: wrap;
      gap: 8px 16px;
      margin: 0;
      padding: 0;
      list-style: none;
    }
    li a {
      color: inherit;
      font-variant-numeric: tabular-nums;
      text-decoration: none;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class BatchProgress {
  readonly id = input.required<string>();

  private readonly api = inject(CommandsApi);
  protected readonly formats = inject(Formats);
  protected readonly words = inject(I18n).words({ en, ko });
  protected readonly batch = signal<Batch | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly done = computed(() =>
    END_STATES.reduce((sum, state) => sum + (this.batch()?.byStatus[state] ?? 0), 0),
  );
  protected readonly counts = computed(() =>
    COMMAND_STATES.flatMap((name) => {
      const count = this.batch()?.byStatus[name] ?? 0;
      return count > 0 ? [{ name, count }] : [];
    }),
  );
  private reading: Promise<void> = Promise.resolve();

  constructor() {
    effect(() => {
      this.id();
      untracked(() => this.read());
    });
    const events = inject(EventStream);
    merge(events.news('command').pipe(filter(({ batchId }) => batchId === this.id())), events.opened)
      .pipe(auditTime(GATHER_MS), takeUntilDestroyed())
      .subscribe(() => this.read());
  }

  /** Readings follow one another: an older answer never overwrites a newer one. */
  private read(): void {
    const id = this.id();
    this.reading = this.reading.then(async () => {
      try {
        const batch = await this.api.batch(id);
        if (id !== this.id()) return;
        this.batch.set(batch);
        this.problem.set(null);
      } catch (error) {
        this.problem.set(toProblem(error));
      }
    });
  }
}
