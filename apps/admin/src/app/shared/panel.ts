import { ChangeDetectionStrategy, Component, input } from '@angular/core';

let made = 0;

/** One part of a page, under a title of its own. */
@Component({
  selector: 'gw-panel',
  template: `
    <section [attr.aria-labelledby]="id">
      <h2 [id]="id">{{ title() }}</h2>
      @if (lead(); as lead) {
        <p class="lead">{{ lead }}</p>
      }
      <ng-content />
    </section>
  `,
  styles: `
    :host {
      display: block;
      min-width: 0;
    }
    section {
      padding: 20px;
      border: 1px solid var(--mat-sys-outline-variant);
      border-radius: 12px;
      background: var(--mat-sys-surface);
    }
    h2 {
      margin: 0 0 12px;
    }
    .lead {
      margin: -8px 0 16px;
      color: var(--mat-sys-on-surface-variant);
    }
    @media (max-width: 600px) {
      section {
        padding: 16px 12px;
      }
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class Panel {
  readonly title = input.required<string>();
  readonly lead = input<string | null>(null);
  protected readonly id = `panel-${++made}`;
}
