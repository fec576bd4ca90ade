import { type AbstractControl, FormControl, FormGroup, type ValidationErrors, Validators } from '@angular/forms';
import { type AlertCondition, type AlertKind, type AlertRule, ALERT_KINDS } from '@gwanje/contracts';
import type { RuleInput } from './alerts-api';

/** As the server wants names. */
export const NAME = /^\s*[\p{L}\p{N}][\p{L}\p{M}\p{N} .,:()%/_+-]{0,99}$/u;
/** `key=value` */
export const LABEL = /^[^=\s][^=]*=.*$/;
const MOST_MINUTES = 10_080;
const MOST_COMMANDS = 1_000_000;

/** Which of the fields a kind has. */
const FIELDS: Readonly<Record<AlertKind, readonly ('minutes' | 'over' | 'percent' | 'atLeast' | 'action')[]>> = {
  client_offline: ['minutes'],
  command_failed: ['action'],
  backlog: ['over'],
  error_rate: ['percent', 'minutes', 'atLeast', 'action'],
};

const text = (...validators: ((control: AbstractControl) => ValidationErrors | null)[]): FormControl<string> =>
  new FormControl('', { nonNullable: true, validators });
const count = (value: number, least: number, most: number, form = /^\d+$/): FormControl<number> =>
  new FormControl(value, {
    nonNullable: true,
    validators: [Validators.required, Validators.min(least), Validators.max(most), Validators.pattern(form)],
  });

/** The fields of a rule; labels stand beside it, as `key=value`. Fields that the kind does not have are disabled. */
export class RuleForm extends FormGroup<{
  name: FormControl<string>;
  enabled: FormControl<boolean>;
  kind: FormControl<AlertKind>;
  minutes: FormControl<number>;
  over: FormControl<number>;
  percent: FormControl<number>;
  atLeast: FormControl<number>;
  action: FormControl<string>;
  group: FormControl<string>;
  clientId: FormControl<string>;
  channels: FormControl<string[]>;
}> {
  constructor() {
    super({
      name: text(Validators.required, Validators.pattern(NAME)),
      enabled: new FormControl(true, { nonNullable: true }),
      kind: new FormControl<AlertKind>(ALERT_KINDS[0], { nonNullable: true }),
      minutes: count(10, 1, MOST_MINUTES),
      over: count(100, 0, MOST_COMMANDS),
      percent: count(20, 0, 99.99, /^\d+(\.\d{1,2})?$/),
      atLeast: count(10, 1, MOST_COMMANDS),
      action: text(Validators.maxLength(100)),
      group: text(Validators.maxLength(100)),
      clientId: text(Validators.maxLength(100)),
      channels: new FormControl<string[]>([], { nonNullable: true }),
    });
    this.offer();
  }

  has(field: (typeof FIELDS)[AlertKind][number]): boolean {
    return FIELDS[this.controls.kind.value].includes(field);
  }

  /** To be called when the kind was chosen. */
  offer(): void {
    for (const field of new Set(Object.values(FIELDS).flat())) {
      if (this.has(field)) this.controls[field].enable();
      else this.controls[field].disable();
    }
  }

  show({ name, enabled, condition, channels }: AlertRule): void {
    this.reset({ name, enabled, ...condition, channels });
    this.offer();
  }

  input(labels: readonly string[]): RuleInput {
    const { name, enabled, channels, ...rest } = this.value;
    const given = Object.entries(rest).flatMap(([key, value]) => {
      const tidied = typeof value === 'string' ? value.trim() : value;
      return tidied === '' || tidied === undefined ? [] : [[key, typeof tidied === 'number' ? Number(tidied) : tidied]];
    });
    const pairs = labels.map((label) => [label.slice(0, label.indexOf('=')), label.slice(label.indexOf('=') + 1)]);
    const condition = {
      ...Object.fromEntries(given),
      ...(pairs.length > 0 && { labels: Object.fromEntries(pairs) as Record<string, string> }),
    } as AlertCondition;
    return { name: (name ?? '').trim(), enabled: enabled ?? true, condition, channels: channels ?? [] };
  }
}
