import { ChangeDetectionStrategy, Component, input } from '@angular/core';
import { Icon, type IconName } from './icon';

/** What stands where nothing is: why, and what to do next (as content). */
@Component({
  selector: 'gw-empty-state',
  imports: [Icon],
  template: `
    <gw-icon [name]="icon()" />
    <h2>{{ title() }}</h2>
    <p>{{ hint() }}</p>
    <ng-content />
  `,
  styles: `
    :host {
      display: flex;
      flex-direction: column;
      align-items: center;
      gap: 8px;
      padding: 56px 16px;
      text-align: center;
    }
    gw-icon {
      width: 48px;
      height: 48px;
      color: var(--mat-sys-outline);
    }
    h2,
    p {
      margin: 0;
    }
    p {
      max-width: 48ch;
      margin-bottom: 8px;
      color: var(--mat-sys-on-surface-variant);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class EmptyState {
  readonly icon = input.required<IconName>();
  readonly title = input.required<string>();
  readonly hint = input.required<string>();
}
