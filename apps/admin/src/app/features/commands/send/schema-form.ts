import { ChangeDetectionStrategy, Component, inject, input } from '@angular/core';
import { FormControl, FormGroup, ReactiveFormsModule, type ValidationErrors } from '@angular/forms';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatSelectModule } from '@angular/material/select';
import { Formats } from '../../../core/i18n/formats';
import { I18n } from '../../../core/i18n/i18n';
import { injectServerWords } from '../../../shared/server-words';
import { en } from '../words/en';
import { ko } from '../words/ko';
import type { Field } from './schema-fields';

/** Draws the fields of an action. What is wrong with one, by the schema or by the server's word, stands at it. */
@Component({
  selector: 'gw-schema-form',
  imports: [MatCheckboxModule, MatFormFieldModule, MatInputModule, MatSelectModule, ReactiveFormsModule],
  templateUrl: './schema-form.html',
  styles: `
    :host {
      display: flex;
      flex-direction: column;
      gap: 12px;
    }
    mat-form-field {
      width: 100%;
    }
    textarea {
      font-family: var(--gw-mono);
    }
    fieldset {
      margin: 0;
      padding: 12px 16px;
      border: 1px solid var(--mat-sys-outline-variant);
      border-radius: 8px;
    }
    .hint,
    .fault {
      margin: 0 16px;
      font: var(--mat-sys-body-small);
      color: var(--mat-sys-on-surface-variant);
    }
    .fault {
      color: var(--mat-sys-error);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class SchemaForm {
  readonly fields = input.required<readonly Field[]>();
  readonly group = input.required<FormGroup>();

  private readonly formats = inject(Formats);
  private readonly i18n = inject(I18n);
  private readonly inWords = injectServerWords();
  protected readonly words = this.i18n.words({ en, ko });

  protected label({ name, path }: Field): string {
    if (name === '') return this.words().form.payload;
    return this.words().fields[path.replace('payload.', '')]?.[0] ?? name;
  }

  protected hint({ path, schema, kind }: Field): string {
    const known = this.words().fields[path.replace('payload.', '')]?.[1];
    const parts = [known ?? schema.description];
    if (kind === 'lines') parts.push(this.words().form.onePerLine);
    if (schema.default !== undefined && kind !== 'flag')
      parts.push(this.words().form.byDefault(this.show(schema.default)));
    return parts.filter(Boolean).join(' · ');
  }

  /** What is wrong with the field, in words. */
  protected fault({ control }: Field): string {
    return this.explain(control.errors ?? {});
  }

  protected asControl(field: Field): FormControl {
    return field.control as FormControl;
  }

  protected asGroup(field: Field): FormGroup {
    return field.control as FormGroup;
  }

  protected show(value: unknown): string {
    return typeof value === 'number' ? this.formats.number(value) : String(value);
  }

  private explain(errors: ValidationErrors): string {
    const { faults } = this.words();
    const number = (value: number): string => this.formats.number(value);
    if (typeof errors['server'] === 'string') return this.inWords(errors['server']);
    if (errors['required']) return faults.required;
    if (errors['min']) return faults.min(number((errors['min'] as { min: number }).min));
    if (errors['max']) return faults.max(number((errors['max'] as { max: number }).max));
    if (errors['minlength']) return faults.required;
    if (errors['maxlength'])
      return faults.maxLength(number((errors['maxlength'] as { requiredLength: number }).requiredLength));
    if (errors['whole']) return faults.whole;
    if (errors['json']) return faults.json;
    if (errors['jsonObject']) return faults.jsonObject;
    if (errors['count']) return faults.count(number((errors['count'] as { most: number }).most));
    return faults.pattern;
  }
}
