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
import { FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatRadioModule } from '@angular/material/radio';
import { MatSelectModule } from '@angular/material/select';
import { ANY_ACTION, type JsonSchema } from '@gwanje/contracts';
import type { Problem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { FieldFault } from '../../shared/field-fault';
import { forgetFaults, showFaults, within } from '../../shared/server-faults';
import { ProblemNotice } from '../../shared/problem-notice';
import { refusalWords } from '../../shared/server-words';
import type { GrantView, Role } from './access-api';
import { LimitFields } from './limit-fields';
import { type LimitRow, readLimits, writeLimits } from './limits';
import { en } from './words/en';
import { ko } from './words/ko';

/** The server names the place of the grant among all; here there is one. */
const ITEM = /^items\[\d+\]\.?/;

/** An action that may be granted, with the schema of its payload where it is known. */
export interface OfferedAction {
  name: string;
  payload?: JsonSchema;
}

/** One grant as a form: whom, which actions, within which limits. Sends nothing by itself. */
@Component({
  selector: 'gw-grant-editor',
  imports: [
    FieldFault,
    LimitFields,
    MatButtonModule,
    MatCheckboxModule,
    MatFormFieldModule,
    MatInputModule,
    MatRadioModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
  ],
  templateUrl: './grant-editor.html',
  styleUrl: './grant-editor.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class GrantEditor {
  /** Null for a new one. */
  readonly grant = input.required<GrantView | null>();
  readonly roles = input.required<readonly Role[]>();
  readonly actions = input.required<readonly OfferedAction[]>();
  readonly busy = input.required<boolean>();
  /** What the server said of the last attempt. */
  readonly problem = input.required<Problem | null>();
  readonly saved = output<GrantView>();
  readonly cancelled = output();

  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly any = ANY_ACTION;
  protected readonly form = new FormGroup({
    kind: new FormControl<'user' | 'role'>('user', { nonNullable: true }),
    user: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    role: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
  });
  protected readonly chosen = signal<readonly string[]>([]);
  protected readonly rows = signal<readonly LimitRow[]>([]);
  protected readonly fault = signal<{ row: number; fault: 'wrong' | 'twice' } | null>(null);
  protected readonly nothingChosen = signal(false);
  protected readonly rest = signal<Problem | null>(null);
  protected readonly problemWords = computed(() => refusalWords(this.rest(), this.i18n.language()));
  /** The actions whose parameters may be limited. */
  protected readonly limitable = computed(() =>
    this.actions().filter(({ name }) => this.chosen().includes(ANY_ACTION) || this.chosen().includes(name)),
  );

  constructor() {
    effect(() => {
      const grant = this.grant();
      untracked(() => this.take(grant));
    });
    effect(() => {
      const problem = this.problem();
      untracked(() => this.rest.set(problem && showFaults(this.form, within(ITEM, problem))));
    });
  }

  protected choose(action: string, isChosen: boolean): void {
    this.nothingChosen.set(false);
    const others = this.chosen().filter((other) => other !== action && (!isChosen || action !== ANY_ACTION));
    this.chosen.set(isChosen ? [...others, action] : others);
  }

  protected addLimit(): void {
    const [action] = this.limitable();
    const [parameter] = Object.keys(action?.payload?.properties ?? {});
    this.rows.update((rows) => [
      ...rows,
      { action: action?.name ?? '', parameter: parameter ?? '', kind: 'oneOf', value: '' },
    ]);
  }

  protected change(index: number, row: LimitRow): void {
    this.fault.set(null);
    this.rows.update((rows) => rows.map((other, at) => (at === index ? row : other)));
  }

  protected removeLimit(index: number): void {
    this.fault.set(null);
    this.rows.update((rows) => rows.filter((_, at) => at !== index));
  }

  protected save(): void {
    const { kind, user, role } = this.form.getRawValue();
    forgetFaults(this.form);
    this.form.controls[kind].markAsTouched();
    this.nothingChosen.set(this.chosen().length === 0);
    const written = writeLimits(this.rows(), ({ action, parameter }) => this.parameterOf(action, parameter));
    this.fault.set('limits' in written ? null : written);
    if (this.form.controls[kind].invalid || this.nothingChosen() || !('limits' in written)) return;
    const whom = kind === 'user' ? { user: user.trim() } : { role };
    this.saved.emit({ ...whom, actions: [...this.chosen()], limits: written.limits });
  }

  private parameterOf(action: string, parameter: string): JsonSchema | undefined {
    return this.actions().find(({ name }) => name === action)?.payload?.properties?.[parameter];
  }

  private take(grant: GrantView | null): void {
    this.form.reset({
      kind: grant?.role === undefined ? 'user' : 'role',
      user: grant?.user ?? '',
      role: grant?.role ?? '',
    });
    this.chosen.set(grant?.actions ?? []);
    this.rows.set(readLimits(grant?.limits ?? {}));
  }
}
