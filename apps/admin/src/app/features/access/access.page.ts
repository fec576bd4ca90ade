import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core';
import { RouterOutlet } from '@angular/router';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { SectionTabs } from '../../shared/section-tabs';
import { accessTabs } from './access-tabs';
import { en } from './words/en';
import { ko } from './words/ko';

/** The frame around the pages about people, roles and grants. */
@Component({
  selector: 'gw-access-page',
  imports: [RouterOutlet, SectionTabs],
  template: `
    <gw-section-tabs [label]="words().title" [tabs]="tabs()" />
    <router-outlet />
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class AccessPage {
  private readonly i18n = inject(I18n);
  private readonly user = inject(Session).user;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly tabs = computed(() =>
    accessTabs(this.user()?.permissions ?? []).map((name) => ({
      path: `/access/${name}`,
      words: this.i18n.text().titles[name],
    })),
  );
}
