import { ChangeDetectionStrategy, Component, computed, inject, input } from '@angular/core';
import type { Connection } from '../core/events/event-stream';
import { Formats } from '../core/i18n/formats';
import { I18n } from '../core/i18n/i18n';

/** Whether what is on the screen is live, in words; announced when it changes. */
@Component({
  selector: 'gw-live-badge',
  template: ` <span role="status" [class]="connection().state"><i aria-hidden="true"></i>{{ words() }}</span> `,
  styles: `
    span {
      display: inline-flex;
      align-items: center;
      gap: 8px;
      font: var(--mat-sys-label-large);
      white-space: nowrap;
      color: var(--mat-sys-on-surface-variant);
    }
    i {
      width: 9px;
      height: 9px;
      border-radius: 50%;
      background: var(--mat-sys-outline);
    }
    .live i {
      background: var(--gw-good);
    }
    .reconnecting i,
    .stale i {
      background: var(--gw-warn);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class LiveBadge {
  readonly connection = input.required<Connection>();
  protected readonly text = inject(I18n).text;
  private readonly formats = inject(Formats);
  protected readonly words = computed(() => {
    const connection = this.connection();
    const { live } = this.text();
    return connection.state === 'stale' ? live.stale(this.formats.time(connection.since)) : live[connection.state];
  });
}
