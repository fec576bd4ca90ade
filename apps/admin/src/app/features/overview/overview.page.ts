import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import { END_STATES } from '@gwanje/contracts';
import { merge, throttleTime } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { OnlineState } from '../../shared/online-state';
import { ProblemNotice } from '../../shared/problem-notice';
import { injectServerWords } from '../../shared/server-words';
import { StateChip } from '../../shared/state-chip';
import { BarChart } from './bar-chart';
import { type OpenState, type Overview, OverviewApi } from './overview-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** However many news come, the overview is read at most this often. */
const REST_MS = 2_000;
const PERIODS = [1, 6, 24, 72];
const DEFAULT_HOURS = 6;
const DAY_MS = 86_400_000;
const OPEN_STATES: readonly OpenState[] = ['pending', 'dispatched', 'running'];

/** How things stand, at one look: read when the stream opens, and again when there is news. */
@Component({
  selector: 'gw-overview-page',
  imports: [
    BarChart,
    EmptyState,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatProgressBarModule,
    MatSelectModule,
    OnlineState,
    ProblemNotice,
    RouterLink,
    StateChip,
  ],
  templateUrl: './overview.page.html',
  styleUrl: './overview.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class OverviewPage {
  /** From the address. */
  readonly hours = input<string>();

  private readonly api = inject(OverviewApi);
  private readonly router = inject(Router);
  private readonly events = inject(EventStream);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly inWords = injectServerWords();
  protected readonly periods = PERIODS;
  protected readonly presence = ['online', 'offline'] as const;
  protected readonly openStates = OPEN_STATES;

  protected readonly overview = signal<Overview | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly knownHours = computed(() => PERIODS.find((hours) => `${hours}` === this.hours()) ?? DEFAULT_HOURS);
  protected readonly isLive = computed(() => this.events.connection().state === 'live');
  protected readonly mayEnrol = computed(() => may(this.user(), 'clients.manage'));
  protected readonly isEmpty = computed(() => {
    const { clients, commands } = this.overview() ?? {};
    return clients?.online === 0 && clients.offline === 0 && commands?.ended.every((bucket) => countOf(bucket) === 0);
  });
  protected readonly perMinute = computed(() => Math.round((this.overview()?.throughput.perMinute ?? 0) * 10) / 10);
  protected readonly latencies = computed(() => {
    const { waitingMs, runningMs } = this.overview()?.latency ?? {};
    return [
      { name: this.words().waiting, of: waitingMs },
      { name: this.words().running, of: runningMs },
    ].map(({ name, of }) => ({ name, p50: of?.p50 ?? null, p95: of?.p95 ?? null }));
  });
  protected readonly series = computed(() => END_STATES.map((key) => ({ key, name: this.text().states[key] })));
  protected readonly chart = computed(() => {
    const buckets = this.overview()?.commands.ended ?? [];
    const total = buckets.reduce((sum, bucket) => sum + countOf(bucket), 0);
    const [first, last] = [buckets[0], buckets.at(-1)];
    // The clock alone says the same of every day.
    const isLong = first && last && Date.parse(last.to) - Date.parse(first.from) >= DAY_MS;
    const bars = buckets.map(({ from, ...bucket }) => ({
      name: isLong ? this.formats.dayAndMinute(from) : this.formats.minute(from),
      counts: END_STATES.map((state) => bucket[state]),
    }));
    const summary =
      first && last
        ? this.words().chartSummary(
            this.formats.number(total),
            this.formats.dateTime(first.from),
            this.formats.dateTime(last.to),
          )
        : '';
    return { total, bars, summary };
  });
  protected readonly format = (value: number): string => this.formats.number(value);
  private readings = Promise.resolve();
  private isQueued = false;

  constructor() {
    effect(() => {
      this.knownHours();
      untracked(() => void this.load());
    });
    this.events.opened.pipe(takeUntilDestroyed()).subscribe(() => void this.load());
    merge(this.events.news('command'), this.events.news('client'))
      .pipe(throttleTime(REST_MS, undefined, { leading: true, trailing: true }), takeUntilDestroyed())
      .subscribe(() => void this.load());
  }

  protected choose(hours: number): void {
    const params = { hours: hours === DEFAULT_HOURS ? null : hours };
    void this.router.navigate([], { queryParams: params, queryParamsHandling: 'merge', replaceUrl: true });
  }

  protected refresh(): void {
    this.events.reconnect();
    void this.load();
  }

  /** How long the oldest has waited when the overview was made. */
  protected waitOf(oldestAt: string): string {
    const at = this.overview()?.at ?? oldestAt;
    return this.formats.duration(Math.max(0, Date.parse(at) - Date.parse(oldestAt)));
  }

  /** One after the other, so that an older answer never stands for a newer one. */
  private load(): Promise<void> {
    if (this.isQueued) return this.readings;
    this.isQueued = true;
    this.readings = this.readings.then(() => {
      this.isQueued = false;
      return this.read();
    });
    return this.readings;
  }

  private async read(): Promise<void> {
    const hours = this.knownHours();
    try {
      const overview = await this.api.get(hours);
      if (hours !== this.knownHours()) return;
      this.overview.set(overview);
      this.problem.set(null);
    } catch (error) {
      this.problem.set(toProblem(error));
    }
  }
}

function countOf(bucket: Overview['commands']['ended'][number]): number {
  return END_STATES.reduce((sum, state) => sum + bucket[state], 0);
}
