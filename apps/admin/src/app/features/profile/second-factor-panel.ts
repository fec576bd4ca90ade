import { ChangeDetectionStrategy, Component, computed, effect, inject, signal, untracked } from '@angular/core';
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatRadioModule } from '@angular/material/radio';
import { Formats } from '../../core/i18n/formats';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { Attempt } from '../../shared/attempt';
import { CopyButton } from '../../shared/copy-button';
import { FieldFault } from '../../shared/field-fault';
import { Panel } from '../../shared/panel';
import { ProblemNotice } from '../../shared/problem-notice';
import { refusalWords } from '../../shared/server-words';
import { ShownOnce } from '../../shared/shown-once';
import { ProfileApi, type Proof } from './profile-api';
import { QrPicture } from './qr-picture';
import { en } from './words/en';
import { ko } from './words/ko';

/** One's own second factor: set up, proven in a session that began without it, renewed and ended. */
@Component({
  selector: 'gw-second-factor-panel',
  imports: [
    CopyButton,
    FieldFault,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatRadioModule,
    Panel,
    ProblemNotice,
    QrPicture,
    ReactiveFormsModule,
    ShownOnce,
  ],
  templateUrl: './second-factor-panel.html',
  styleUrl: './panels.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class SecondFactorPanel {
  private readonly api = inject(ProfileApi);
  private readonly session = inject(Session);
  private readonly i18n = inject(I18n);
  protected readonly formats = inject(Formats);
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly attempt = new Attempt();
  protected readonly problemWords = computed(() => refusalWords(this.attempt.problem(), this.i18n.language()));

  protected readonly state = computed(() => {
    const factor = this.session.user()?.secondFactor;
    if (!factor?.enabled) return 'off';
    return factor.satisfied ? 'on' : 'unproven';
  });
  /** Begun, and not confirmed yet. */
  protected readonly pending = signal<{ secret: string; otpauthUri: string } | null>(null);
  protected readonly key = computed(
    () =>
      this.pending()
        ?.secret.match(/.{1,4}/g)
        ?.join(' ') ?? '',
  );
  protected readonly recoveryCodes = signal<string | null>(null);
  protected readonly codesLeft = signal<number | null>(null);
  protected readonly ended = signal(false);

  protected readonly codeForm = new FormGroup({
    otp: new FormControl('', { nonNullable: true, validators: [Validators.required, Validators.minLength(6)] }),
  });
  protected readonly proofForm = new FormGroup({
    by: new FormControl<'otp' | 'password'>('otp', { nonNullable: true }),
    otp: new FormControl('', { nonNullable: true }),
    password: new FormControl('', { nonNullable: true }),
  });

  constructor() {
    effect(() => {
      if (this.state() === 'on') untracked(() => void this.count());
    });
  }

  protected begin(): Promise<boolean> {
    this.ended.set(false);
    return this.attempt.run(async () => this.pending.set(await this.api.beginSecondFactor()));
  }

  protected async confirm(): Promise<void> {
    const otp = this.code();
    if (otp === null) return;
    await this.attempt.run(async () => {
      this.showCodes(await this.api.confirmSecondFactor(otp));
      await this.renewSession();
      this.pending.set(null);
      this.codeForm.reset();
    }, this.codeForm);
  }

  protected async prove(): Promise<void> {
    const otp = this.code();
    if (otp === null) return;
    await this.attempt.run(async () => {
      await this.api.proveSecondFactor(otp);
      this.codeForm.reset();
      await this.renewSession();
    }, this.codeForm);
  }

  protected end(): Promise<void> {
    return this.withProof(async (proof) => {
      await this.api.endSecondFactor(proof);
      this.recoveryCodes.set(null);
      this.ended.set(true);
      await this.renewSession();
    });
  }

  protected renew(): Promise<void> {
    return this.withProof(async (proof) => {
      this.showCodes(await this.api.renewRecoveryCodes(proof));
      await this.count();
    });
  }

  private async withProof(act: (proof: Proof) => Promise<void>): Promise<void> {
    const { by, ...values } = this.proofForm.getRawValue();
    const control = this.proofForm.controls[by];
    control.setErrors(values[by].trim() === '' ? { required: true } : null);
    control.markAsTouched();
    if (control.invalid) return;
    const proof = by === 'otp' ? { otp: values.otp.trim() } : { password: values.password };
    const done = await this.attempt.run(() => act(proof), this.proofForm);
    if (done) this.proofForm.reset();
  }

  private code(): string | null {
    this.codeForm.markAllAsTouched();
    return this.codeForm.valid ? this.codeForm.controls.otp.value.trim() : null;
  }

  private showCodes(codes: string[]): void {
    this.recoveryCodes.set(codes.join('\n'));
  }

  private async count(): Promise<void> {
    await this.api.recoveryCodesLeft().then(
      (left) => this.codesLeft.set(left),
      () => this.codesLeft.set(null),
    );
  }

  /** What the person may do now is in the answer; where it does not come, the next renewal tells. */
  private async renewSession(): Promise<void> {
    await this.session.refresh().catch(() => undefined);
  }
}
