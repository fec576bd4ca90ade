import { ChangeDetectionStrategy, Component, inject, signal } from '@angular/core';
import { type AbstractControl, FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { FieldFault } from '../../shared/field-fault';
import { Panel } from '../../shared/panel';
import { ProblemNotice } from '../../shared/problem-notice';
import { ProfileApi } from './profile-api';
import { en } from './words/en';
import { ko } from './words/ko';

const MIN_LENGTH = 12;

/** Changes one's own password; what the server has against it stands at the field. */
@Component({
  selector: 'gw-password-panel',
  imports: [FieldFault, MatButtonModule, MatFormFieldModule, MatInputModule, Panel, ProblemNotice, ReactiveFormsModule],
  template: `
    <gw-panel [title]="words().password.title" [lead]="words().password.rules">
      @if (attempt.problem(); as problem) {
        <gw-problem-notice [problem]="problem" />
      }
      <p class="said" role="status">{{ changed() ? words().password.changed : '' }}</p>
      <form [formGroup]="form" [attr.aria-label]="words().password.title" (ngSubmit)="change()">
        <input
          class="who"
          type="text"
          autocomplete="username"
          readonly
          tabindex="-1"
          aria-hidden="true"
          [value]="email()"
        />
        <mat-form-field appearance="outline">
          <mat-label>{{ words().password.current }}</mat-label>
          <input matInput type="password" formControlName="currentPassword" autocomplete="current-password" />
          <mat-error
            ><gw-field-fault [errors]="form.controls.currentPassword.errors" [words]="words().password.currentMissing"
          /></mat-error>
        </mat-form-field>
        <mat-form-field appearance="outline">
          <mat-label>{{ words().password.next }}</mat-label>
          <input matInput type="password" formControlName="newPassword" autocomplete="new-password" />
          <mat-error
            ><gw-field-fault [errors]="form.controls.newPassword.errors" [words]="words().password.tooShort"
          /></mat-error>
        </mat-form-field>
        <mat-form-field appearance="outline">
          <mat-label>{{ words().password.repeat }}</mat-label>
          <input matInput type="password" formControlName="repeated" autocomplete="new-password" />
          <mat-error>{{ words().password.different }}</mat-error>
        </mat-form-field>
        <button matButton="filled" type="submit" [disabled]="attempt.busy()" disabledInteractive>
          {{ words().password.submit }}
        </button>
      </form>
    </gw-panel>
  `,
  styleUrl: './panels.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class PasswordPanel {
  private readonly api = inject(ProfileApi);
  private readonly user = inject(Session).user;
  protected readonly words = inject(I18n).words({ en, ko });
  protected readonly attempt = new Attempt();
  protected readonly changed = signal(false);
  protected readonly email = (): string => this.user()?.email ?? '';
  protected readonly form = new FormGroup({
    currentPassword: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    newPassword: new FormControl('', {
      nonNullable: true,
      validators: [Validators.required, Validators.minLength(MIN_LENGTH)],
    }),
    repeated: new FormControl('', { nonNullable: true, validators: [sameAsNew] }),
  });

  constructor() {
    const { newPassword, repeated } = this.form.controls;
    newPassword.valueChanges.subscribe(() => repeated.updateValueAndValidity());
  }

  protected async change(): Promise<void> {
    this.changed.set(false);
    this.form.markAllAsTouched();
    if (this.form.invalid) return;
    const { currentPassword, newPassword } = this.form.getRawValue();
    const done = await this.attempt.run(() => this.api.changePassword(currentPassword, newPassword), this.form);
    if (!done) return;
    this.form.reset();
    this.changed.set(true);
  }
}

function sameAsNew(control: AbstractControl<string>): { different: true } | null {
  const next = control.parent?.get('newPassword')?.value as string | undefined;
  return next === undefined || control.value === next ? null : { different: true };
}
