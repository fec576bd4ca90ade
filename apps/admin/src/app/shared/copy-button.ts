import { Clipboard } from '@angular/cdk/clipboard';
import { ChangeDetectionStrategy, Component, inject, input, signal } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { I18n } from '../core/i18n/i18n';
import { Icon } from './icon';

/** Copies a text that the page shows in its own way, also on a page that came over plain HTTP, and says so. */
@Component({
  selector: 'gw-copy-button',
  imports: [Icon, MatButtonModule],
  template: `
    <button matButton="outlined" type="button" (click)="copy()">
      <gw-icon matButtonIcon name="copy" />{{ label() ?? text().common.copy }}
    </button>
    <span role="status">
      @if (outcome(); as outcome) {
        {{ text().common[outcome] }}
      }
    </span>
  `,
  styles: `
    :host {
      display: inline-flex;
      flex-wrap: wrap;
      align-items: center;
      gap: 8px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class CopyButton {
  readonly value = input.required<string>();
  readonly label = input<string | null>(null);
  private readonly clipboard = inject(Clipboard);
  protected readonly text = inject(I18n).text;
  protected readonly outcome = signal<'copied' | 'copyFailed' | null>(null);

  protected copy(): void {
    this.outcome.set(this.clipboard.copy(this.value()) ? 'copied' : 'copyFailed');
  }
}
