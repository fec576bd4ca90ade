import { HttpClient } from '@angular/common/http';
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
import { toSignal } from '@angular/core/rxjs-interop';
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { Router } from '@angular/router';
import { firstValueFrom } from 'rxjs';
import { type Problem, toProblem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { ownPath } from '../../core/own-path';
import { Session } from '../../core/session/session';
import { Icon } from '../../shared/icon';
import { LanguageSwitch } from '../../shared/language-switch';
import { ProblemNotice } from '../../shared/problem-notice';
import { en } from './words/en';
import { ko } from './words/ko';

/** `GET /api/auth/methods`. */
interface Methods {
  openId: { name: string } | null;
}

/** Log-in for people, with a password or by single sign-on; asks for a one-time code when the server does. */
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
  /** Why a single sign-on did not succeed, from the address. */
  readonly error = input<string>();

  private readonly session = inject(Session);
  private readonly router = inject(Router);
  private readonly injector = inject(Injector);
  private readonly otpInput = viewChild<ElementRef<HTMLInputElement>>('otpInput');
  private readonly http = inject(HttpClient);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });

  protected readonly form = new FormGroup({
    email: new FormControl('', { nonNullable: true, validators: [Validators.required, Validators.email] }),
    password: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    otp: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
  });
  protected readonly busy = signal(false);
  private readonly email = toSignal(this.form.controls.email.valueChanges, { initialValue: '' });
  /** The account that needs a code, as the server said; another one may need none. */
  private readonly guarded = signal<string | null>(null);
  protected readonly otpWanted = computed(() => this.guarded() === this.email());
  private readonly failure = signal<Problem | null>(null);
  protected readonly problem = computed(() => this.failure() ?? this.session.trouble());
  /** A wrong password is a 401 like an ended session, and needs other words. */
  protected readonly ownWords = computed(() =>
    this.failure()?.code === 'unauthorized' ? this.words().badCredentials : null,
  );
  /** The name of the single sign-on, if there is one. */
  protected readonly signOn = signal<string | null>(null);
  protected readonly signOnAddress = computed(
    () => `/api/auth/openid/start?returnTo=${encodeURIComponent(ownPath(this.next()))}`,
  );
  protected readonly refusal = computed(() => {
    const error = this.error();
    if (error === undefined || this.failure()) return null;
    const { errors } = this.words();
    return Object.hasOwn(errors, error) ? (errors[error] ?? null) : (errors['openid_failed'] ?? null);
  });

  constructor() {
    // Without an answer there is still the password.
    void firstValueFrom(this.http.get<Methods>('/api/auth/methods')).then(
      ({ openId }) => this.signOn.set(openId?.name ?? null),
      () => undefined,
    );
  }

  /** The browser leaves the console, and comes back with a session. */
  protected leave(): void {
    this.session.expectReturn();
  }

  protected async logIn(): Promise<void> {
    this.form.markAllAsTouched();
    const { email: mail, password: word, otp: code } = this.form.controls;
    if (mail.invalid || word.invalid || (this.otpWanted() && code.invalid) || this.busy()) return;
    this.busy.set(true);
    this.failure.set(null);
    try {
      const { email, password, otp } = this.form.getRawValue();
      await this.session.logIn({ email, password, ...(this.otpWanted() && { otp: otp.trim() }) });
      await this.router.navigateByUrl(ownPath(this.next()), { replaceUrl: true });
    } catch (error) {
      const problem = toProblem(error);
      this.failure.set(problem);
      if (['otp_required', 'otp_invalid'].includes(problem.code)) this.askForCode();
    } finally {
      this.busy.set(false);
    }
  }

  private askForCode(): void {
    this.guarded.set(this.email());
    // A code is good for one attempt.
    this.form.controls.otp.reset();
    afterNextRender(() => this.otpInput()?.nativeElement.focus(), { injector: this.injector });
  }
}
