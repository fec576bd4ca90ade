import { ChangeDetectionStrategy, Component, computed, effect, inject } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatMenuModule } from '@angular/material/menu';
import { Router, RouterLink, RouterLinkActive, RouterOutlet } from '@angular/router';
import { EventStream } from '../../core/events/event-stream';
import { RightsWatch } from '../../core/session/rights-watch';
import { I18n, LANGUAGES, type Language } from '../../core/i18n/i18n';
import { NewVersion } from '../../core/new-version';
import { Session } from '../../core/session/session';
import { Theme, THEMES } from '../../core/theme/theme';
import { pagesOf } from '../../pages';
import { Icon } from '../../shared/icon';
import { LiveBadge } from '../../shared/live-badge';
import { ProblemNotice } from '../../shared/problem-notice';
import { Shortcuts } from './shortcuts';

/** The frame around every page of somebody who is logged in. */
@Component({
  selector: 'gw-shell',
  imports: [Icon, LiveBadge, MatButtonModule, MatMenuModule, ProblemNotice, RouterLink, RouterLinkActive, RouterOutlet],
  providers: [Shortcuts],
  templateUrl: './shell.html',
  styleUrl: './shell.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class Shell {
  private readonly session = inject(Session);
  private readonly router = inject(Router);
  protected readonly shortcuts = inject(Shortcuts);
  protected readonly connection = inject(EventStream).connection;
  /** Why a page or a dialog could not be loaded. */
  protected readonly problem = inject(NewVersion).problem;
  protected readonly i18n = inject(I18n);
  protected readonly theme = inject(Theme);
  protected readonly themes = THEMES;
  protected readonly languages = Object.entries(LANGUAGES).map(([key, { name }]) => ({ key: key as Language, name }));
  protected readonly text = this.i18n.text;
  protected readonly user = this.session.user;
  private readonly pages = computed(() => pagesOf(this.user()));
  protected readonly navigation = computed(() => this.pages().filter(({ isPersonal }) => !isPersonal));
  protected readonly personal = computed(() => this.pages().filter(({ isPersonal }) => isPersonal));
  private hasArrived = false;

  constructor() {
    inject(RightsWatch);
    effect(() => {
      const user = this.user();
      const { url } = this.router;
      // A role began to demand a second factor: nothing else is theirs to do until they have set it up.
      if (user && !user.secondFactor.satisfied && !url.startsWith('/profile')) {
        void this.router.navigate(['/profile'], { queryParams: { next: url } });
      }
      if (user) return;
      void this.router.navigate(['/login'], { queryParams: url === '/' ? {} : { next: url } });
    });
  }

  /** A new page begins at its top, for the keyboard and a screen reader too. */
  protected arrive(content: HTMLElement): void {
    if (this.hasArrived) content.focus({ preventScroll: true });
    this.hasArrived = true;
  }

  protected async logOut(): Promise<void> {
    await this.session.logOut().catch(() => undefined);
  }
}
