import { ChangeDetectionStrategy, Component, computed, inject, input } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { Router, RouterLink } from '@angular/router';
import { I18n } from '../../core/i18n/i18n';
import { ownPath } from '../../core/own-path';
import { Session } from '../../core/session/session';
import { Panel } from '../../shared/panel';
import { PERMISSION_WORDS, permissionGroups } from '../../shared/permission-words';
import { PasswordPanel } from './password-panel';
import { SecondFactorPanel } from './second-factor-panel';
import { SessionsPanel } from './sessions-panel';
import { TokensPanel } from './tokens-panel';
import { en } from './words/en';
import { ko } from './words/ko';

/** One's own account. Whoever owes a second factor is led here, and on to where they wanted to go. */
@Component({
  selector: 'gw-profile-page',
  imports: [MatButtonModule, Panel, PasswordPanel, RouterLink, SecondFactorPanel, SessionsPanel, TokensPanel],
  templateUrl: './profile.page.html',
  styleUrl: './profile.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ProfilePage {
  /** Where the person was on the way to, from the address. */
  readonly next = input<string>();

  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly permissionWords = this.i18n.words(PERMISSION_WORDS);
  protected readonly user = inject(Session).user;
  protected readonly groups = computed(() => permissionGroups(this.user()?.permissions ?? []));
  protected readonly owed = computed(() => {
    const factor = this.user()?.secondFactor;
    if (!factor || factor.satisfied) return null;
    return factor.enabled ? this.words().owed.prove : this.words().owed.setUp;
  });
  private readonly router = inject(Router);
  protected readonly destination = computed(() =>
    this.next() === undefined ? null : this.router.parseUrl(ownPath(this.next())),
  );
}
