import { ChangeDetectionStrategy, Component, inject, input, model, viewChildren } from '@angular/core';
import {
  type AbstractControl,
  FormControl,
  FormGroup,
  ReactiveFormsModule,
  type ValidatorFn,
  Validators,
} from '@angular/forms';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { DEFAULT_CONCURRENCY } from '@gwanje/contracts';
import type { Problem } from '../../core/http/problem';
import { I18n } from '../../core/i18n/i18n';
import { FieldFault } from '../../shared/field-fault';
import { faultAt, isSendable } from '../../shared/server-faults';
import { areSettled, TagField } from '../../shared/tag-field';
import { LABEL, nameOf } from './labels';
import { en } from './words/en';
import { ko } from './words/ko';

const NAME = /^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u;

export type ClientForm = FormGroup<{ name: FormControl<string>; concurrency: FormControl<number> }>;

export function clientForm(): ClientForm {
  return new FormGroup({
    name: new FormControl('', { nonNullable: true, validators: [Validators.required, trimmed(NAME)] }),
    concurrency: new FormControl(DEFAULT_CONCURRENCY, {
      nonNullable: true,
      validators: [Validators.required, Validators.min(1), Validators.max(1000), Validators.pattern(/^\d+$/)],
    }),
  });
}

/** The fields of a client, for a new one and for one that is changed; what the server says of a field stands there. */
@Component({
  selector: 'gw-client-fields',
  imports: [FieldFault, MatFormFieldModule, MatInputModule, ReactiveFormsModule, TagField],
  template: `
    <ng-container [formGroup]="form()">
      <mat-form-field appearance="outline">
        <mat-label>{{ words().name }}</mat-label>
        <input matInput formControlName="name" autocomplete="off" spellcheck="false" />
        <mat-error><gw-field-fault [errors]="form().controls.name.errors" [words]="nameFault()" /></mat-error>
      </mat-form-field>
      <gw-tag-field
        [label]="words().groups"
        [hint]="words().settings.groupsHint"
        [fault]="faultAt(problem(), 'groups')"
        [(tags)]="groups"
      />
      <gw-tag-field
        [label]="words().labels"
        [hint]="words().settings.labelsHint"
        [pattern]="LABEL"
        [wrong]="words().settings.labelsWrong"
        [keyOf]="nameOf"
        [fault]="faultAt(problem(), 'labels')"
        [(tags)]="labels"
      />
      <mat-form-field appearance="outline">
        <mat-label>{{ words().concurrency }}</mat-label>
        <input matInput type="number" formControlName="concurrency" min="1" max="1000" step="1" />
        <mat-hint>{{ words().settings.concurrencyHint }}</mat-hint>
        <mat-error
          ><gw-field-fault [errors]="form().controls.concurrency.errors" [words]="words().settings.concurrencyWrong"
        /></mat-error>
      </mat-form-field>
    </ng-container>
  `,
  styles: `
    :host {
      display: flex;
      flex-direction: column;
      gap: 16px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ClientFields {
  readonly form = input.required<ClientForm>();
  readonly groups = model.required<readonly string[]>();
  readonly labels = model.required<readonly string[]>();
  readonly problem = input<Problem | null>(null);

  private readonly tagFields = viewChildren(TagField);
  protected readonly words = inject(I18n).words({ en, ko });
  protected readonly LABEL = LABEL;
  protected readonly nameOf = nameOf;
  protected readonly faultAt = faultAt;

  /** False, and shown where, when the form is not to be sent. */
  check(): boolean {
    const isSettled = areSettled(this.tagFields());
    return isSendable(this.form()) && isSettled;
  }

  protected nameFault(): string {
    const { nameMissing, nameWrong } = this.words().settings;
    return this.form().controls.name.hasError('required') ? nameMissing : nameWrong;
  }
}

function trimmed(pattern: RegExp): ValidatorFn {
  return ({ value }: AbstractControl<string>): { pattern: true } | null =>
    value === '' || pattern.test(value.trim()) ? null : { pattern: true };
}
