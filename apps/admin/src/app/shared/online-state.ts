import { ChangeDetectionStrategy, Component, inject, input } from '@angular/core';
import { I18n } from '../core/i18n/i18n';

/** Whether a client is connected, in words; the dot only repeats them. */
@Component({
  selector: 'gw-online-state',
  template: '<i aria-hidden="true"></i>{{ text().online[state()] }}',
  styles: `
    :host {
      display: inline-flex;
      align-items: center;
      gap: 8px;
      white-space: nowrap;
      color: var(--gw-calm);
    }
    i {
      width: 9px;
      height: 9px;
      border: 1px solid var(--gw-calm);
      border-radius: 50%;
    }
    :host(.online) {
      color: var(--gw-good);
    }
    :host(.online) i {
      border-color: var(--gw-good);
      background: var(--gw-good);
    }
  `,
  host: { '[class]': 'state()' },
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class OnlineState {
  readonly state = input.required<'online' | 'offline'>();
  protected readonly text = inject(I18n).text;
}
