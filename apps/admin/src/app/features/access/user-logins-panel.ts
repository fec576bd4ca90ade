import { Dialog } from '@angular/cdk/dialog';
import {
  ChangeDetectionStrategy,
  Component,
  computed,
  effect,
  inject,
  input,
  output,
  signal,
  untracked,
} from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { RouterLink } from '@angular/router';
import type { Permission } from '@gwanje/contracts';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { confirmed } from '../../shared/confirm-dialog';
import { deviceWords } from '../../shared/device-words';
import { Panel } from '../../shared/panel';
import { PERMISSION_WORDS } from '../../shared/permission-words';
import { ProblemNotice } from '../../shared/problem-notice';
import { refusalWords } from '../../shared/server-words';
import { ShownOnce } from '../../shared/shown-once';
import { AccessApi, type UserSession, type UserToken, type UserView } from './access-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Where somebody is logged in and by what, for those who administer accounts: sessions, second factor, password, tokens. */
@Component({
  selector: 'gw-user-logins-panel',
  imports: [MatButtonModule, Panel, ProblemNotice, RouterLink, ShownOnce],
  templateUrl: './user-logins-panel.html',
  styleUrl: './user.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class UserLoginsPanel {
  readonly user = input.required<UserView>();
  /** Something of the account itself is not what it was. */
  readonly changed = output();

  private readonly api = inject(AccessApi);
  private readonly dialog = inject(Dialog);
  private readonly me = inject(Session).user;
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly permissionWords = this.i18n.words(PERMISSION_WORDS);
  protected readonly attempt = new Attempt();
  protected readonly problemWords = computed(() => refusalWords(this.attempt.problem(), this.i18n.language()));

  protected readonly sessions = signal<readonly UserSession[] | null>(null);
  protected readonly tokens = signal<readonly UserToken[] | null>(null);
  protected readonly password = signal<string | null>(null);
  protected readonly said = signal<'sessionsEnded' | 'factorReset' | 'revoked' | null>(null);
  /** What stands where nothing is known. */
  protected readonly notRead = computed(() => this.text().common[this.attempt.busy() ? 'loading' : 'none']);
  private readonly id = computed(() => this.user().id);
  /** One's own log-ins are managed in the profile: here they would end before the answer is seen. */
  protected readonly isOwn = computed(() => this.id() === this.me()?.id);

  constructor() {
    effect(() => {
      this.id();
      untracked(() => {
        this.sessions.set(null);
        this.tokens.set(null);
        void this.attempt.run(() => this.read());
      });
    });
  }

  protected endSessions(): Promise<void> {
    return this.act('sessionsEnded', () => this.api.endSessions(this.id()));
  }

  protected async resetFactor(): Promise<void> {
    const { resetFactor, resetFactorText } = this.words().user;
    if (!(await confirmed(this.dialog, { title: resetFactor, lead: resetFactorText, button: resetFactor }))) return;
    await this.act('factorReset', () => this.api.resetSecondFactor(this.id()));
    this.changed.emit();
  }

  protected async resetPassword(): Promise<void> {
    const { resetPassword, resetPasswordText } = this.words().user;
    if (!(await confirmed(this.dialog, { title: resetPassword, lead: resetPasswordText, button: resetPassword })))
      return;
    await this.act(null, async () => this.password.set(await this.api.resetPassword(this.id())));
  }

  protected async revoke({ id, name }: UserToken): Promise<void> {
    const { revokeOf, revokeText, revoke } = this.words().user;
    if (!(await confirmed(this.dialog, { title: revokeOf(name), lead: revokeText, button: revoke }))) return;
    await this.act('revoked', () => this.api.revokeToken(this.id(), id));
  }

  protected deviceOf({ userAgent }: UserSession): string {
    return deviceWords(userAgent) ?? this.words().user.unknownDevice;
  }

  protected extentOf(permissions: Permission[] | null): string {
    if (permissions === null) return this.words().user.everything;
    return permissions.map((permission) => this.permissionWords().permissions[permission]).join(', ');
  }

  private async act(said: 'sessionsEnded' | 'factorReset' | 'revoked' | null, act: () => Promise<void>): Promise<void> {
    this.said.set(null);
    const done = await this.attempt.run(async () => {
      await act();
      await this.read();
    });
    if (done) this.said.set(said);
  }

  private async read(): Promise<void> {
    const [sessions, tokens] = await Promise.all([this.api.sessions(this.id()), this.api.tokens(this.id())]);
    this.sessions.set(sessions);
    this.tokens.set(tokens);
  }
}
