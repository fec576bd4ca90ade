import { ChangeDetectionStrategy, Component, computed, inject, input } from '@angular/core';
import type { CommandState } from '@gwanje/contracts';
import { I18n } from '../core/i18n/i18n';

const TONES: Readonly<Record<CommandState, 'calm' | 'busy' | 'good' | 'bad' | 'warn'>> = {
  pending: 'calm',
  dispatched: 'busy',
  running: 'busy',
  completed: 'good',
  failed: 'bad',
  cancelled: 'calm',
  expired: 'warn',
  timed_out: 'warn',
  indeterminate: 'warn',
};

/** A command's state in words; the colour only repeats them. */
@Component({
  selector: 'gw-state-chip',
  template: '{{ text().states[state()] }}',
  styles: `
    :host {
      display: inline-block;
      padding: 2px 10px;
      border-radius: 999px;
      font: var(--mat-sys-label-medium);
      line-height: 20px;
      white-space: nowrap;
      color: var(--gw-calm);
      background: var(--gw-calm-soft);
    }
    :host(.busy) {
      color: var(--gw-busy);
      background: var(--gw-busy-soft);
    }
    :host(.good) {
      color: var(--gw-good);
      background: var(--gw-good-soft);
    }
    :host(.bad) {
      color: var(--gw-bad);
      background: var(--gw-bad-soft);
    }
    :host(.warn) {
      color: var(--gw-warn);
      background: var(--gw-warn-soft);
    }
  `,
  host: { '[class]': 'tone()', '[attr.data-state]': 'state()' },
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class StateChip {
  readonly state = input.required<CommandState>();
  protected readonly text = inject(I18n).text;
  protected readonly tone = computed(() => TONES[this.state()]);
}
