import { ChangeDetectionStrategy, Component, computed, inject, signal } from '@angular/core';
import { ReactiveFormsModule } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { RouterLink } from '@angular/router';
import { I18n } from '../../core/i18n/i18n';
import { Attempt } from '../../shared/attempt';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { isSendable } from '../../shared/server-faults';
import { refusalWords } from '../../shared/server-words';
import { ShownOnce } from '../../shared/shown-once';
import { AccessApi, type Role } from './access-api';
import { RoleChoice } from './role-choice';
import { UserFields } from './user-fields';
import { userForm } from './user-form';
import { en } from './words/en';
import { ko } from './words/ko';

/** Adds a person; the server makes the first password up, and it is shown once. */
@Component({
  selector: 'gw-new-user-page',
  imports: [Icon, MatButtonModule, ProblemNotice, ReactiveFormsModule, RoleChoice, RouterLink, ShownOnce, UserFields],
  template: `
    <a class="back" matButton routerLink="/access/users"
      ><gw-icon matButtonIcon name="back" />{{ text().common.back }}</a
    >
    <h1>{{ text().titles.newUser }}</h1>
    @if (made(); as made) {
      <gw-shown-once [label]="words().user.firstPassword(made.email)" [secret]="made.password" (kept)="forget()" />
      <p class="buttons">
        <a matButton="filled" [routerLink]="['/access/users', made.id]">{{ words().user.open }}</a>
        <button matButton="outlined" type="button" (click)="forget()">{{ words().user.another }}</button>
      </p>
    } @else {
      <p class="lead">{{ words().user.passwordLead }}</p>
      @if (attempt.problem(); as problem) {
        <gw-problem-notice [problem]="problem" [words]="problemWords()" />
      }
      <form [formGroup]="form" [attr.aria-label]="text().titles.newUser" (ngSubmit)="create()">
        <gw-user-fields [form]="form" />
        <gw-role-choice [roles]="roles()" [chosen]="chosen()" (chosenChange)="chosen.set($event)" />
        <button matButton="filled" type="submit" [disabled]="attempt.busy()" disabledInteractive>
          {{ words().user.create }}
        </button>
      </form>
    }
  `,
  styleUrl: './user.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class NewUserPage {
  private readonly api = inject(AccessApi);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly attempt = new Attempt();
  protected readonly problemWords = computed(() => refusalWords(this.attempt.problem(), this.i18n.language()));
  protected readonly form = userForm();
  protected readonly roles = signal<readonly Role[]>([]);
  protected readonly chosen = signal<string[]>([]);
  protected readonly made = signal<{ id: string; email: string; password: string } | null>(null);

  constructor() {
    void this.attempt.run(async () => this.roles.set(await this.api.roles()));
  }

  protected async create(): Promise<void> {
    if (!isSendable(this.form)) return;
    await this.attempt.run(async () => {
      const user = await this.api.createUser({ ...this.form.getRawValue(), roles: this.chosen() });
      this.made.set({ id: user.id, email: user.email, password: user.temporaryPassword ?? '' });
    }, this.form);
  }

  protected forget(): void {
    this.made.set(null);
    this.form.reset();
    this.chosen.set([]);
  }
}
