import { Dialog } from '@angular/cdk/dialog';
import {
  ChangeDetectionStrategy,
  Component,
  computed,
  effect,
  inject,
  input,
  linkedSignal,
  signal,
  untracked,
  viewChild,
} from '@angular/core';
import { takeUntilDestroyed, toSignal } from '@angular/core/rxjs-interop';
import { type AbstractControl, FormControl, FormGroup, ReactiveFormsModule, Validators } from '@angular/forms';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatSelectModule } from '@angular/material/select';
import { Router, RouterLink } from '@angular/router';
import { ACTIONS, DEFAULT_PRIORITY, EMERGENCY_PRIORITY } from '@gwanje/contracts';
import { merge } from 'rxjs';
import { type Problem, toProblem } from '../../../core/http/problem';
import { Formats } from '../../../core/i18n/formats';
import { I18n } from '../../../core/i18n/i18n';
import { confirmed } from '../../../shared/confirm-dialog';
import { FieldFault } from '../../../shared/field-fault';
import { Icon } from '../../../shared/icon';
import { ProblemNotice } from '../../../shared/problem-notice';
import { faultAt, isSendable, putFaults } from '../../../shared/server-faults';
import { injectServerWords, refusalWords } from '../../../shared/server-words';
import { ClientNames } from '../client-names';
import { CommandsApi, type Order } from '../commands-api';
import { en } from '../words/en';
import { ko } from '../words/ko';
import { type Field, fieldsOf, groupOf, payloadOf } from './schema-fields';
import { SchemaForm } from './schema-form';
import { type Choice, onlyClient, targetsOf } from './targets';
import { TargetsField } from './targets-field';

const SECOND = 1_000;

/**
 * Sends a command to one machine or to many. The form is the action's schema. What was filled in stays until it was sent, and the same
 * form sent twice, for a double click or a lost answer, makes one command.
 */
@Component({
  selector: 'gw-send-page',
  imports: [
    FieldFault,
    Icon,
    MatButtonModule,
    MatFormFieldModule,
    MatInputModule,
    MatSelectModule,
    ProblemNotice,
    ReactiveFormsModule,
    RouterLink,
    SchemaForm,
    TargetsField,
  ],
  providers: [ClientNames],
  templateUrl: './send.page.html',
  styleUrl: './send.page.scss',
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class SendPage {
  /** In the address, to begin with one machine, or one action. */
  readonly client = input<string>();
  readonly action = input<string>();

  private readonly api = inject(CommandsApi);
  private readonly router = inject(Router);
  private readonly dialog = inject(Dialog);
  private readonly formats = inject(Formats);
  protected readonly names = inject(ClientNames);
  private readonly i18n = inject(I18n);
  protected readonly text = this.i18n.text;
  protected readonly words = this.i18n.words({ en, ko });
  protected readonly actions = Object.values(ACTIONS);

  protected readonly choice = linkedSignal<Choice>(() => {
    const client = this.client();
    return { kind: 'clients', clients: client ? [client] : [], groups: [], labels: [] };
  });
  private readonly field = viewChild.required(TargetsField);
  protected readonly form = new FormGroup({
    action: new FormControl('', { nonNullable: true, validators: [Validators.required] }),
    priority: new FormControl<number | null>(DEFAULT_PRIORITY, [
      Validators.required,
      Validators.min(0),
      Validators.max(EMERGENCY_PRIORITY),
      whole,
    ]),
    notBefore: new FormControl('', { nonNullable: true }),
    expiresAt: new FormControl('', { nonNullable: true }),
    maxAttempts: new FormControl<number | null>(1, [
      Validators.required,
      Validators.min(1),
      Validators.max(100),
      whole,
    ]),
    timeout: new FormControl<number | null>(null, [Validators.min(1), Validators.max(604_800), whole]),
  });
  private readonly chosenAction = toSignal(this.form.controls.action.valueChanges, { initialValue: '' });
  protected readonly definition = computed(() => ACTIONS[this.chosenAction()]);
  /** Drawn anew with each action. */
  protected readonly drawn = computed<{ fields: Field[]; group: FormGroup } | null>(() => {
    const definition = this.definition();
    if (!definition) return null;
    const fields = fieldsOf(definition.payload);
    return { fields, group: groupOf(fields, definition.payload) };
  });
  protected readonly busy = signal(false);
  protected readonly problem = signal<Problem | null>(null);
  protected readonly isIncomplete = signal(false);
  /** How many machines are meant is not known yet. */
  protected readonly isUncounted = signal(false);
  protected readonly inWords = injectServerWords();
  protected readonly problemWords = computed(() => refusalWords(this.problem(), this.i18n.language()));
  /** What the server says of the machines as a whole. */
  protected readonly targetsFault = computed(
    () => faultAt(this.problem(), 'targets') ?? faultAt(this.problem(), 'clientId'),
  );
  private key = newKey();

  constructor() {
    merge(this.form.valueChanges)
      .pipe(takeUntilDestroyed())
      .subscribe(() => this.changed());
    effect(() => {
      const action = this.action();
      if (action && ACTIONS[action]) untracked(() => this.form.controls.action.setValue(action));
    });
    // What is called an emergency goes before everything else.
    this.form.controls.action.valueChanges.pipe(takeUntilDestroyed()).subscribe((action) => {
      if (action === 'emergency_shutdown') this.form.controls.priority.setValue(EMERGENCY_PRIORITY);
    });
  }

  protected chosen(choice: Choice): void {
    this.choice.set(choice);
    this.changed();
  }

  /** Another form is another command, of which the server has said nothing yet. */
  protected changed(): void {
    this.key = newKey();
    this.isIncomplete.set(false);
    this.isUncounted.set(false);
    this.problem.set(null);
  }

  protected actionTitle(name: string): string {
    return this.words().actions[name]?.[0] ?? name;
  }

  protected actionLead(name: string): string {
    return this.words().actions[name]?.[1] ?? ACTIONS[name]?.description ?? '';
  }

  protected oneOf(): string | null {
    const names = this.drawn()?.group.errors?.['oneOf'] as string[] | undefined;
    return names
      ? this.words().faults.oneOf(names.map((name) => this.words().fields[name]?.[0] ?? name).join(', '))
      : null;
  }

  protected async send(): Promise<void> {
    const drawn = this.drawn();
    const isSettled = this.field().check();
    const targets = targetsOf(this.choice());
    const isFilled = isSendable(this.form);
    const isPayloadFilled = drawn !== null && isSendable(drawn.group);
    const isComplete = isSettled && isFilled && isPayloadFilled && targets !== null;
    this.isIncomplete.set(!isComplete);
    if (!drawn || !targets || !isComplete || this.busy() || !(await this.isSure())) return;
    this.busy.set(true);
    this.problem.set(null);
    try {
      const order = this.order(drawn.fields);
      const clientId = onlyClient(this.choice());
      if (clientId !== null) {
        const { id } = await this.api.create({ clientId, ...order }, this.key);
        await this.router.navigate(['/commands', id], { replaceUrl: true });
      } else {
        const { batchId } = await this.api.createBatch({ targets, ...order }, this.key);
        await this.router.navigate(['/commands'], { queryParams: { batch: batchId }, replaceUrl: true });
      }
    } catch (error) {
      const problem = toProblem(error);
      this.problem.set(problem);
      putFaults(this.form, problem);
      putPayloadFaults(drawn.fields, problem);
    } finally {
      this.busy.set(false);
    }
  }

  private order(fields: readonly Field[]): Order {
    const { action, priority, notBefore, expiresAt, maxAttempts, timeout } = this.form.getRawValue();
    return {
      action,
      payload: payloadOf(fields),
      priority: priority ?? DEFAULT_PRIORITY,
      maxAttempts: maxAttempts ?? 1,
      ...(notBefore && { notBefore: new Date(notBefore).toISOString() }),
      ...(expiresAt && { expiresAt: new Date(expiresAt).toISOString() }),
      ...(timeout && { timeoutMs: timeout * SECOND }),
    };
  }

  /** What can do harm is sent when the number of machines was typed. */
  private async isSure(): Promise<boolean> {
    const definition = this.definition();
    if (!definition?.destructive) return true;
    const count = this.field().preview()?.count;
    // Nothing is sent to a number that nobody has seen.
    this.isUncounted.set(count === undefined);
    if (count === undefined) return false;
    const words = this.words().form;
    return confirmed(this.dialog, {
      title: words.sureTitle(this.actionTitle(definition.name)),
      lead: words.sureLead(this.formats.number(count)),
      button: words.submit,
      typed: String(count),
    });
  }
}

function putPayloadFaults(fields: readonly Field[], problem: Problem): void {
  for (const { path, kind, control, fields: inner } of fields) {
    if (kind === 'group') {
      putPayloadFaults(inner, problem);
      continue;
    }
    const server = faultAt(problem, path);
    if (server === null) continue;
    control.setErrors({ ...control.errors, server });
    control.markAsTouched();
  }
}

function whole({ value }: AbstractControl<number | null>): { whole: true } | null {
  return value === null || Number.isInteger(value) ? null : { whole: true };
}

/** `crypto.randomUUID` is missing on a page that came over plain HTTP. */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
