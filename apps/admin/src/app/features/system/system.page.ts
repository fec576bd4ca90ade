import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { auditTime, merge } from 'rxjs';
import { EventStream } from '../../core/events/event-stream';
import { type Problem, toProblem } from '../../core/http/problem';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { injectServerWords } from '../../shared/server-words';
import { type FailedJob, SystemApi, type SystemView } from './system-api';
import { en } from './words/en';
import { ko } from './words/ko';

const COUNTS = ['waiting', 'active', 'delayed', 'completed', 'failed'] as const;
/** The same in every language. */
const PRODUCTS = { postgresql: 'PostgreSQL', redis: 'Redis', rabbitmq: 'RabbitMQ' } as const;
/** News say that something goes on: then it is read again, at most this often. */
const GATHER_MS = 5_000;

/** The system itself: its parts, queues with their failed jobs, gateways and versions. */
@Component({
  selector: 'gw-system-page',
  imports: [Icon, MatButtonModule, MatProgressBarModule, ProblemNotice],
  templateUrl: './system.page.html',
  styleUrl: './system.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class SystemPage {
  private readonly api = inject(SystemApi);
  private readonly user = inject(Session).user;
  protected readonly formats = inject(Formats);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly inWords = injectServerWords();
  protected readonly countNames = COUNTS;
  protected readonly system = signal<SystemView | null>(null);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly failed = signal<{ queue: string; jobs: FailedJob[] } | null>(null);
  /** What is done about failed jobs; that the page is read anew says nothing of it. */
  protected readonly doing = new Attempt();
  protected readonly mayRetry = computed(() => may(this.user(), 'system.manage'));
  private reading: Promise<void> = Promise.resolve();

  constructor() {
    const events = inject(EventStream);
    merge(events.news('command'), events.news('client'))
      .pipe(auditTime(GATHER_MS), takeUntilDestroyed())
      .subscribe(() => this.read());
    events.opened.pipe(takeUntilDestroyed()).subscribe(() => this.read());
    this.read();
  }

  /** Readings follow one another: an older answer never overwrites a newer one. */
  protected read(): void {
    this.reading = this.reading.then(async () => {
      try {
        this.system.set(await this.api.read());
        this.problem.set(null);
      } catch (error) {
        this.problem.set(toProblem(error));
      }
    });
  }

  protected nameOf(part: SystemView['parts'][number]['name']): string {
    return part === 'audit' ? this.words().seals : PRODUCTS[part];
  }

  protected partNote({ name, milliseconds, detail }: SystemView['parts'][number]): string {
    if (detail) return this.inWords(detail);
    if (milliseconds === null) return '';
    const time = this.formats.duration(milliseconds);
    return name === 'audit' ? this.words().sealLag(time) : this.words().answered(time);
  }

  protected people({ agents, streams }: SystemView['gateways'][number]): number {
    return Math.max(0, streams - agents);
  }

  protected async show(queue: string): Promise<void> {
    await this.doing.run(() => this.list(queue));
  }

  protected async retry(queue: string, job: string): Promise<void> {
    await this.doing.run(() => this.api.retry(queue, job).finally(() => this.list(queue)));
    this.read();
  }

  private async list(queue: string): Promise<void> {
    this.failed.set({ queue, jobs: await this.api.failed(queue) });
  }
}
