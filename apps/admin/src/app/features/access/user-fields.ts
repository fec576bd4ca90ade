import { ChangeDetectionStrategy, ChangeDetectorRef, Component, effect, inject, input } from '@angular/core';
import { ReactiveFormsModule } from '@angular/forms';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatSelectModule } from '@angular/material/select';
import { SCOPES } from '@gwanje/contracts';
import { I18n } from '../../core/i18n/i18n';
import { FieldFault } from '../../shared/field-fault';
import type { UserForm } from './user-form';
import { en } from './words/en';
import { ko } from './words/ko';

/** The fields of an account, new or old. */
@Component({
  selector: 'gw-user-fields',
  imports: [FieldFault, MatFormFieldModule, MatInputModule, MatSelectModule, ReactiveFormsModule],
  template: `
    <div class="fields" [formGroup]="form()">
      <mat-form-field appearance="outline">
        <mat-label>{{ words().user.name }}</mat-label>
        <input matInput formControlName="name" autocomplete="off" />
        <mat-error
          ><gw-field-fault [errors]="form().controls.name.errors" [words]="words().user.nameMissing"
        /></mat-error>
      </mat-form-field>
      <mat-form-field appearance="outline">
        <mat-label>{{ words().user.email }}</mat-label>
        <input matInput type="email" formControlName="email" autocomplete="off" />
        <mat-error
          ><gw-field-fault [errors]="form().controls.email.errors" [words]="words().user.emailWrong"
        /></mat-error>
      </mat-form-field>
      <mat-form-field appearance="outline">
        <mat-label>{{ words().user.scope }}</mat-label>
        <mat-select formControlName="scope">
          @for (scope of scopes; track scope) {
            <mat-option [value]="scope">{{ words().user.scopes[scope] }}</mat-option>
          }
        </mat-select>
      </mat-form-field>
    </div>
  `,
  styles: `
    .fields {
      display: flex;
      flex-direction: column;
      gap: 4px;
    }
    mat-form-field {
      width: 100%;
      max-width: 480px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class UserFields {
  readonly form = input.required<UserForm>();
  protected readonly scopes = SCOPES;
  protected readonly words = inject(I18n).words({ en, ko });

  constructor() {
    // What the page does to the form, such as a fault of the server's, changes no input of this part.
    const detector = inject(ChangeDetectorRef);
    effect((onCleanup) => {
      const events = this.form().events.subscribe(() => detector.markForCheck());
      onCleanup(() => events.unsubscribe());
    });
  }
}
