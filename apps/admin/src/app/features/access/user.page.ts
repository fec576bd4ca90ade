import { Dialog } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal, untracked } from '@angular/core';
import { ReactiveFormsModule } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatProgressBarModule } from '@angular/material/progress-bar';
import { Router, RouterLink } from '@angular/router';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { confirmed } from '../../shared/confirm-dialog';
import { EmptyState } from '../../shared/empty-state';
import { Icon } from '../../shared/icon';
import { ListFilters } from '../../shared/list-filters';
import { loadAgainWhenBack } from '../../shared/load-again';
import { Panel } from '../../shared/panel';
import { ProblemNotice } from '../../shared/problem-notice';
import { isSendable } from '../../shared/server-faults';
import { refusalWords } from '../../shared/server-words';
import { AccessApi, type Role, type UserView } from './access-api';
import { RoleChoice } from './role-choice';
import { UserFields } from './user-fields';
import { userForm } from './user-form';
import { UserLoginsPanel } from './user-logins-panel';
import { en } from './words/en';
import { ko } from './words/ko';

/** One person's account: who they are, their roles, their log-ins, and the end of it. */
@Component({
  selector: 'gw-user-page',
  imports: [
    EmptyState,
    Icon,
    MatButtonModule,
    MatProgressBarModule,
    Panel,
    ProblemNotice,
    ReactiveFormsModule,
    RoleChoice,
    RouterLink,
    UserFields,
    UserLoginsPanel,
  ],
  templateUrl: './user.page.html',
  styleUrl: './user.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class UserPage {
  /** Of the person, from the address. */
  readonly id = input.required<string>();

  private readonly api = inject(AccessApi);
  private readonly router = inject(Router);
  private readonly dialog = inject(Dialog);
  private readonly session = inject(Session);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  /** Of the list that one came from. */
  protected readonly filters = inject(ListFilters).of('/access/users');
  protected readonly reading = new Attempt();
  protected readonly saving = new Attempt();
  protected readonly ending = new Attempt();
  protected readonly savingWords = computed(() => refusalWords(this.saving.problem(), this.i18n.language()));
  protected readonly endingWords = computed(() => refusalWords(this.ending.problem(), this.i18n.language()));

  protected readonly user = signal<UserView | null>(null);
  protected readonly roles = signal<readonly Role[]>([]);
  protected readonly chosen = signal<string[]>([]);
  protected readonly saved = signal(false);
  protected readonly form = userForm();
  protected readonly isOwn = computed(() => this.user()?.id === this.session.user()?.id);
  protected readonly mayReadAudit = computed(() => this.session.user()?.permissions.includes('audit.read') ?? false);

  constructor() {
    effect(() => {
      this.id();
      untracked(() => void this.load());
    });
    loadAgainWhenBack(this.reading.problem, () => this.load());
  }

  protected load(): Promise<boolean> {
    return this.reading.run(async () => {
      const [user, roles] = await Promise.all([this.api.user(this.id()), this.api.roles()]);
      this.roles.set(roles);
      this.take(user);
    });
  }

  protected async save(): Promise<void> {
    const before = this.user();
    this.saved.set(false);
    if (!isSendable(this.form) || !before) return;
    const done = await this.saving.run(async () => {
      const { email, name, scope } = this.form.getRawValue();
      const change = {
        ...(email !== before.email && { email }),
        ...(name !== before.name && { name }),
        ...(scope !== before.scope && { scope }),
      };
      let after = before;
      if (Object.keys(change).length > 0) after = await this.api.updateUser(before.id, change);
      if (!sameNames(this.chosen(), before.roles)) after = await this.api.setRoles(before.id, this.chosen());
      this.take(after);
    }, this.form);
    this.saved.set(done);
  }

  protected async setDisabled(user: UserView, disabled: boolean): Promise<void> {
    const { disable, disableText } = this.words().user;
    if (
      disabled &&
      !(await confirmed(this.dialog, { title: `${disable}: ${user.name}`, lead: disableText, button: disable }))
    ) {
      return;
    }
    await this.ending.run(async () => this.user.set(await this.api.updateUser(user.id, { disabled })));
  }

  protected async remove(user: UserView): Promise<void> {
    const { removeTitle, removeText, remove } = this.words().user;
    if (
      !(await confirmed(this.dialog, {
        title: removeTitle(user.name),
        lead: removeText,
        button: remove,
        typed: user.email,
      }))
    )
      return;
    await this.ending.run(async () => {
      await this.api.deleteUser(user.id);
      await this.router.navigate(['/access/users'], { replaceUrl: true });
    });
  }

  private take(user: UserView): void {
    this.user.set(user);
    this.form.setValue({ email: user.email, name: user.name, scope: user.scope });
    this.chosen.set([...user.roles]);
  }
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((name) => others.includes(name));
}
