import { ChangeDetectionStrategy, Component, computed, inject, input, output } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { MatFormFieldModule } from '@angular/material/form-field';
import { MatInputModule } from '@angular/material/input';
import { MatSelectModule } from '@angular/material/select';
import type { JsonSchema } from '@gwanje/contracts';
import { I18n } from '../../core/i18n/i18n';
import { Icon } from '../../shared/icon';
import { kindsFor, type LimitRow } from './limits';
import { en } from './words/en';
import { ko } from './words/ko';

/** One limit: of which parameter, by which rule. What is offered is drawn from the action's schema. */
@Component({
  selector: 'gw-limit-fields',
  imports: [Icon, MatButtonModule, MatFormFieldModule, MatInputModule, MatSelectModule],
  template: `
    <div class="row" role="group" [attr.aria-label]="words().grants.limitOf">
      <mat-form-field appearance="outline" subscriptSizing="dynamic">
        <mat-label>{{ words().grants.action }}</mat-label>
        <mat-select [value]="row().action" (selectionChange)="change({ action: $event.value, parameter: '' })">
          @for (action of actions(); track action.name) {
            <mat-option [value]="action.name">{{ action.name }}</mat-option>
          }
        </mat-select>
      </mat-form-field>
      @if (parameters().length > 0) {
        <mat-form-field appearance="outline" subscriptSizing="dynamic">
          <mat-label>{{ words().grants.parameter }}</mat-label>
          <mat-select [value]="row().parameter" (selectionChange)="change({ parameter: $event.value })">
            @for (name of parameters(); track name) {
              <mat-option [value]="name">{{ name }}</mat-option>
            }
          </mat-select>
        </mat-form-field>
      } @else {
        <mat-form-field appearance="outline" subscriptSizing="dynamic">
          <mat-label>{{ words().grants.parameter }}</mat-label>
          <input
            matInput
            #parameter
            autocomplete="off"
            [value]="row().parameter"
            (change)="change({ parameter: parameter.value.trim() })"
          />
        </mat-form-field>
      }
      <mat-form-field appearance="outline" subscriptSizing="dynamic">
        <mat-label>{{ words().grants.kind }}</mat-label>
        <mat-select [value]="row().kind" (selectionChange)="change({ kind: $event.value })">
          @for (kind of kinds(); track kind) {
            <mat-option [value]="kind">{{ words().grants.kinds[kind] }}</mat-option>
          }
        </mat-select>
      </mat-form-field>
      @if (isLong()) {
        <mat-form-field class="value" appearance="outline" subscriptSizing="dynamic">
          <mat-label>{{ valueLabel() }}</mat-label>
          <textarea
            matInput
            #long
            rows="2"
            spellcheck="false"
            [value]="row().value"
            (input)="change({ value: long.value })"
          ></textarea>
        </mat-form-field>
      } @else {
        <mat-form-field class="value" appearance="outline" subscriptSizing="dynamic">
          <mat-label>{{ valueLabel() }}</mat-label>
          <input
            matInput
            #short
            autocomplete="off"
            spellcheck="false"
            [value]="row().value"
            (input)="change({ value: short.value })"
          />
        </mat-form-field>
      }
      <button matIconButton type="button" [attr.aria-label]="words().grants.removeLimit" (click)="removed.emit()">
        <gw-icon name="clear" />
      </button>
    </div>
  `,
  styles: `
    .row {
      display: flex;
      flex-wrap: wrap;
      align-items: flex-start;
      gap: 8px;
      margin: 8px 0;
    }
    mat-form-field {
      flex: 1 1 150px;
      max-width: 240px;
    }
    .value {
      flex-grow: 2;
      max-width: 420px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class LimitFields {
  readonly row = input.required<LimitRow>();
  readonly actions = input.required<readonly { name: string; payload?: JsonSchema }[]>();
  readonly rowChange = output<LimitRow>();
  readonly removed = output();
  protected readonly words = inject(I18n).words({ en, ko });

  private readonly properties = computed(
    () => this.actions().find(({ name }) => name === this.row().action)?.payload?.properties ?? {},
  );
  protected readonly parameters = computed(() => {
    const names = Object.keys(this.properties());
    const { parameter } = this.row();
    return names.length === 0 || parameter === '' || names.includes(parameter) ? names : [...names, parameter];
  });
  protected readonly kinds = computed(() => {
    const kinds = kindsFor(this.properties()[this.row().parameter]);
    return kinds.includes(this.row().kind) ? kinds : [...kinds, this.row().kind];
  });
  protected readonly valueLabel = computed(() => {
    const { grants } = this.words();
    const { kind } = this.row();
    return kind === 'oneOf' ? grants.values : kind === 'schema' ? grants.kinds.schema : grants.value;
  });
  protected readonly isLong = computed(() => ['oneOf', 'schema'].includes(this.row().kind));

  protected change(change: Partial<LimitRow>): void {
    this.rowChange.emit({ ...this.row(), ...change });
  }
}
