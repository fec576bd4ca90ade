import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal } from '@angular/core';
import { takeUntilDestroyed, toSignal } from '@angular/core/rxjs-interop';
import { type AbstractControl, FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import { ACTIONS, DEFAULT_PRIORITY, EMERGENCY_PRIORITY } from '@gwanje/contracts';
import { type Problem, toProblem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { Icon } from '../../shared/icon';
import { ProblemNotice } from '../../shared/problem-notice';
import { ClientNames } from './client-names';
import { CommandsApi } from './commands-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** Sends one command. The same form sent twice, for a double click or a lost answer, makes one command. */
@Component({
  selector: 'gw-new-command-page',
  imports: [
    Icon,
    MatButtonModule,
    MatCheckboxModule,
    MatFormFieldModule,
    MatInputModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
    RouterLink,
  ],
  providers: [ClientNames],
  templateUrl: './new-command.page.html',
  styleUrl: './new-command.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class NewCommandPage {
  /** From the address: what the form begins with. */
  readonly client = input<string>();
  readonly action = input<string>();

  private readonly api = inject(CommandsApi);
  private readonly router = inject(Router);
  protected readonly names = inject(ClientNames);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly actions = Object.values(ACTIONS);

  protected readonly form = new FormGroup({
    clientId: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    action: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    payload: new FormControl('{}', { nonNullable: true, validators: [jsonObject] }),
    priority: new FormControl(DEFAULT_PRIORITY, {
      nonNullable: true,
      validators: [Validators.required, Validators.min(0), Validators.max(EMERGENCY_PRIORITY), wholeNumber],
    }),
    confirmed: new FormControl(false, { nonNullable: true }),
  });
  protected readonly busy = signal(false);
  protected readonly problem = signal<Problem | null>(null);
  private readonly chosen = toSignal(this.form.controls.action.valueChanges, { initialValue: '' });
  protected readonly isDestructive = computed(() => ACTIONS[this.chosen()]?.destructive ?? false);
  private key = newKey();

  constructor() {
    effect(() => {
      const [clientId, action] = [this.client(), this.action()];
      this.form.patchValue({ ...(clientId && { clientId }), ...(action && { action }) });
    });
    this.form.valueChanges.pipe(takeUntilDestroyed()).subscribe(() => (this.key = newKey()));
    this.form.controls.action.valueChanges.pipe(takeUntilDestroyed()).subscribe((action) => {
      const { confirmed } = this.form.controls;
      confirmed.setValidators(ACTIONS[action]?.destructive ? Validators.requiredTrue : null);
      confirmed.reset();
    });
  }

  protected async send(): Promise<void> {
    this.form.markAllAsTouched();
    if (this.form.invalid || this.busy()) return;
    this.busy.set(true);
    this.problem.set(null);
    try {
      const { clientId, action, payload, priority } = this.form.getRawValue();
      const command = { clientId: clientId.trim(), action, payload: readObject(payload) ?? {}, priority };
      const { id } = await this.api.create(command, this.key);
      await this.router.navigate(['/commands', id], { replaceUrl: true });
    } catch (error) {
      this.problem.set(toProblem(error));
    } finally {
      this.busy.set(false);
    }
  }
}

function readObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

function jsonObject({ value }: AbstractControl<string>): { jsonObject: true } | null {
  return readObject(value) === null ? { jsonObject: true } : null;
}

function wholeNumber({ value }: AbstractControl<number>): { wholeNumber: true } | null {
  return Number.isInteger(value) ? null : { wholeNumber: true };
}

/** `crypto.randomUUID` is missing on a page that came over plain HTTP. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
