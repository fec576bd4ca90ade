import { ChangeDetectionStrategy, Component, computed, effect, inject, input, signal } from '@angular/core';
import type { Connection } from '../core/events/event-stream';
import { Formats } from '../core/i18n/formats';
import { I18n } from '../core/i18n/i18n';

/** Whether what is on the screen is live, in words; announced when it changes, while the seconds count on in silence. */
@Component({
  selector: 'gw-live-badge',
  template: `
    <span role="status" [class]="connection().state">
      <i aria-hidden="true"></i>
      @if (staleFor(); as since) {
        <span class="gw-unseen">{{ text().live.stale }}</span>
        <span aria-hidden="true">{{ text().live.staleSince(since) }}</span>
      } @else {
        {{ words() }}
      }
    </span>
  `,
  styles: `
    [role='status'] {
      position: relative;
      display: inline-flex;
      align-items: center;
      gap: 8px;
      font: var(--mat-sys-label-large);
      font-variant-numeric: tabular-nums;
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
  private readonly now = signal(Date.now());
  protected readonly words = computed(() => this.text().live[this.connection().state]);
  /** How long nothing was heard of the server, in whole seconds; null while what is shown is not old. */
  protected readonly staleFor = computed(() => {
    const connection = this.connection();
    if (connection.state !== 'stale') return null;
    return this.formats.duration(Math.max(1, Math.round((this.now() - connection.since) / 1_000)) * 1_000);
  });

  constructor() {
    effect((onCleanup) => {
      if (this.connection().state !== 'stale') return;
      this.now.set(Date.now());
      const timer = setInterval(() => this.now.set(Date.now()), 1_000);
      onCleanup(() => clearInterval(timer));
    });
  }
}
