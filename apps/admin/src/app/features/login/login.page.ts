import {
  afterNextRender,
  ChangeDetectionStrategy,
  Component,
  computed,
  ElementRef,
  inject,
  Injector,
  input,
  signal,
  viewChild,
} from '@angular/core';
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { Router } from '@angular/router';
import { type Problem, toProblem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Icon } from '../../shared/icon';
import { LanguageSwitch } from '../../shared/language-switch';
import { ProblemNotice } from '../../shared/problem-notice';
import { en } from './words/en';
import { ko } from './words/ko';

/** Log-in for people; asks for a one-time code when the server does. */
@Component({
  selector: 'gw-login-page',
  imports: [
    Icon,
    LanguageSwitch,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    ProblemNotice,
    ReactiveFormsModule,
  ],
  templateUrl: './login.page.html',
  styleUrl: './login.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class LoginPage {
  /** Where to go afterwards, from the address. */
  readonly next = input<string>();

  private readonly session = inject(Session);
  private readonly router = inject(Router);
  private readonly injector = inject(Injector);
  private readonly otpInput = viewChild<ElementRef<HTMLInputElement>>('otpInput');
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });

  protected readonly form = new FormGroup({
    email: new FormControl('', { nonNullable: true, validators: [Validators.required, Validators.email] }),
    password: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    otp: new FormControl('', { nonNullable: true }),
  });
  protected readonly busy = signal(false);
  protected readonly otpWanted = signal(false);
  private readonly failure = signal<Problem | null>(null);
  protected readonly problem = computed(() => this.failure() ?? this.session.trouble());
  /** A wrong password is a 401 like an ended session, and needs other words. */
  protected readonly ownWords = computed(() =>
    this.problem()?.code === 'unauthorized' ? this.words().badCredentials : null,
  );

  protected async logIn(): Promise<void> {
    this.form.markAllAsTouched();
    if (this.form.invalid || this.busy()) return;
    this.busy.set(true);
    this.failure.set(null);
    try {
      const { email, password, otp } = this.form.getRawValue();
      await this.session.logIn({ email, password, ...(this.otpWanted() && { otp: otp.trim() }) });
      await this.router.navigateByUrl(this.destination(), { replaceUrl: true });
    } catch (error) {
      const problem = toProblem(error);
      this.failure.set(problem);
      if (problem.code === 'otp_required') this.askForCode();
    } finally {
      this.busy.set(false);
    }
  }

  private askForCode(): void {
    this.otpWanted.set(true);
    this.form.controls.otp.setValidators(Validators.required);
    this.form.controls.otp.reset();
    afterNextRender(() => this.otpInput()?.nativeElement.focus(), { injector: this.injector });
  }

  /** Only a path of the console itself. */
  private destination(): string {
    const next = this.next() ?? '/';
    return /^\/(?![/\\])/.test(next) && !next.startsWith('/login') ? next : '/';
  }
}
