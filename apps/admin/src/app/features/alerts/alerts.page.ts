import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core';
import { RouterOutlet } from '@angular/router';
import { I18n } from '../../core/i18n/i18n';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';
import { SectionTabs } from '../../shared/section-tabs';
import { en } from './words/en';
import { ko } from './words/ko';

/** The frame around the pages about alerts, rules, channels and deliveries. */
@Component({
  selector: 'gw-alerts-page',
  imports: [RouterOutlet, SectionTabs],
  template: `
    <gw-section-tabs [label]="words().title" [tabs]="tabs()" />
    <router-outlet />
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class AlertsPage {
  private readonly i18n = inject(I18n);
  private readonly user = inject(Session).user;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly tabs = computed(() => {
    const { alerts, alertRules, alertChannels, alertDeliveries } = this.i18n.text().titles;
    return [
      { path: '/alerts', words: alerts, exact: true },
      { path: '/alerts/rules', words: alertRules },
      ...(may(this.user(), 'alerts.manage') ? [{ path: '/alerts/channels', words: alertChannels }] : []),
      { path: '/alerts/deliveries', words: alertDeliveries },
    ];
  });
}
