import { ChangeDetectionStrategy, Component, computed, effect, inject, input, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import type { Alert } from '@gwanje/contracts';
import { EventStream } from '../../core/events/event-stream';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { injectServerWords } from '../../shared/server-words';
import { AlertsApi } from './alerts-api';
import { Listing } from './listing';
import { en } from './words/en';
import { ko } from './words/ko';

const STATES = ['open', 'resolved'] as const;

/** What rules have fired: what goes on, and what is over; the filter is in the address. */
@Component({
  selector: 'gw-fired-page',
  imports: [
    EmptyState,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatProgressBarModule,
    MatSelectModule,
    ProblemNotice,
    RouterLink,
  ],
  templateUrl: './fired.page.html',
  styleUrl: './lists.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class FiredPage {
  readonly state = input<string>();

  private readonly router = inject(Router);
  private readonly api = inject(AlertsApi);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  private readonly inWords = injectServerWords();
  protected readonly states = STATES;
  protected readonly knownState = computed(() => STATES.find((state) => state === this.state()) ?? '');
  protected readonly alerts = new Listing<Alert>((cursor) => this.api.fired(this.knownState(), cursor));

  constructor() {
    const events = inject(EventStream);
    events
      .news('alert')
      .pipe(takeUntilDestroyed())
      .subscribe((news) => this.alerts.note(news, this.isAskedFor(news)));
    events.opened.pipe(takeUntilDestroyed()).subscribe(() => void this.alerts.load());
    effect(() => {
      this.knownState();
      untracked(() => void this.alerts.load());
    });
  }

  protected choose(state: '' | (typeof STATES)[number]): void {
    void this.router.navigate([], { queryParams: { state: state || null }, queryParamsHandling: 'merge' });
  }

  /** The page of what it is about; null for all clients of a rule. */
  protected linkOf({ subject: { type, id } }: Alert): string[] | null {
    return type === 'rule' ? null : [`/${type}s`, id];
  }

  protected detailOf({ kind, detail }: Alert): string {
    const { details } = this.words();
    const number = (name: string): string => this.formats.number(Number(detail[name] ?? 0));
    switch (kind) {
      case 'client_offline':
        return details.client_offline(this.formats.dateTime(String(detail['offlineSince'])));
      case 'command_failed':
        return details.command_failed(typeof detail['error'] === 'string' ? this.inWords(detail['error']) : '');
      case 'backlog':
        return details.backlog(number('over'));
      case 'error_rate':
        return details.error_rate(number('failed'), number('ended'));
    }
  }

  private isAskedFor({ resolvedAt }: Alert): boolean {
    const state = this.knownState();
    return state === '' || state === (resolvedAt === null ? 'open' : 'resolved');
  }
}
