import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { MatSelectModule } from '@angular/material/select';
import { Router } from '@angular/router';
import { ALERT_DELIVERY_STATES, type AlertDelivery, type AlertDeliveryState } from '@gwanje/contracts';
import { EventStream } from '../../core/events/event-stream';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { refusalWords, serverWords } from '../../shared/server-words';
import { AlertsApi } from './alerts-api';
import { Listing } from './listing';
import { en } from './words/en';
import { ko } from './words/ko';

/** What became of the news of alerts: delivered, on its way, or failed and why; the filter is in the address. */
@Component({
  selector: 'gw-deliveries-page',
  imports: [
    EmptyState,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatProgressBarModule,
    MatSelectModule,
    ProblemNotice,
  ],
  templateUrl: './deliveries.page.html',
  styleUrl: './lists.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class DeliveriesPage {
  readonly state = input<string>();

  private readonly router = inject(Router);
  private readonly api = inject(AlertsApi);
  private readonly user = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly states = ALERT_DELIVERY_STATES;
  protected readonly knownState = computed(() => this.states.find((state) => state === this.state()) ?? '');
  protected readonly deliveries = new Listing<AlertDelivery>((cursor) =>
    this.api.deliveries(this.knownState(), cursor),
  );
  protected readonly problemWords = computed(() => refusalWords(this.deliveries.problem(), this.i18n.language()));
  protected readonly attempt = new Attempt();
  protected readonly retried = signal(false);
  protected readonly mayRetry = computed(() => may(this.user(), 'alerts.manage'));

  constructor() {
    const events = inject(EventStream);
    events
      .news('delivery')
      .pipe(takeUntilDestroyed())
      .subscribe((news) => this.deliveries.note(news, this.isAskedFor(news)));
    events.opened.pipe(takeUntilDestroyed()).subscribe(() => void this.deliveries.load());
    effect(() => {
      this.knownState();
      untracked(() => void this.deliveries.load());
    });
  }

  protected choose(state: '' | AlertDeliveryState): void {
    void this.router.navigate([], { queryParams: { state: state || null }, queryParamsHandling: 'merge' });
  }

  protected aboutOf(subject: string, count: number): string {
    return count > 1 ? this.words().deliveries.withMore(subject, this.formats.number(count - 1)) : subject;
  }

  protected errorOf({ lastError }: AlertDelivery): string {
    return lastError === null ? '' : serverWords(lastError, this.i18n.language());
  }

  protected async retry({ id }: AlertDelivery): Promise<void> {
    this.retried.set(false);
    this.retried.set(await this.attempt.run(() => this.api.retry(id)));
    await this.deliveries.load();
  }

  private isAskedFor({ state }: AlertDelivery): boolean {
    return this.knownState() === '' || this.knownState() === state;
  }
}
