import { ChangeDetectionStrategy, Component, inject, input, output } from '@angular/core';
import { MatCheckboxModule } from '@angular/material/checkbox';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import type { Role } from './access-api';
import { en } from './words/en';
import { ko } from './words/ko';

/** The roles of one person. One that gives more than the reader has can neither be given nor taken. */
@Component({
  selector: 'gw-role-choice',
  imports: [MatCheckboxModule],
  template: `
    <fieldset>
      <legend>{{ words().user.roles }}</legend>
      @for (role of roles(); track role.id) {
        <mat-checkbox
          [checked]="chosen().includes(role.name)"
          [disabled]="isTooMuch(role)"
          (change)="choose(role.name, $event.checked)"
        >
          {{ role.name }}
          @if (isTooMuch(role)) {
            <span class="hint">({{ words().user.roleTooMuch }})</span>
          }
        </mat-checkbox>
      }
    </fieldset>
  `,
  styles: `
    fieldset {
      display: flex;
      flex-wrap: wrap;
      gap: 0 16px;
      margin: 0;
      padding: 0;
      border: 0;
    }
    legend {
      padding: 0;
      font: var(--mat-sys-label-large);
    }
    .hint {
      color: var(--mat-sys-on-surface-variant);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class RoleChoice {
  readonly roles = input.required<readonly Role[]>();
  /** Names. */
  readonly chosen = input.required<readonly string[]>();
  readonly chosenChange = output<string[]>();
  private readonly user = inject(Session).user;
  protected readonly words = inject(I18n).words({ en, ko });

  protected isTooMuch({ permissions }: Role): boolean {
    const own = this.user()?.permissions ?? [];
    return !permissions.every((permission) => own.includes(permission));
  }

  protected choose(name: string, isChosen: boolean): void {
    this.chosenChange.emit([...this.chosen().filter((other) => other !== name), ...(isChosen ? [name] : [])]);
  }
}
