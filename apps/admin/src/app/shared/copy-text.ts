import { ChangeDetectionStrategy, Component, DestroyRef, inject, input, signal } from '@angular/core';
import { Clipboard } from '@angular/cdk/clipboard';
import { MatButtonModule } from '@angular/material/button';
import { I18n } from '../core/i18n/i18n';

const SAID_MS = 3_000;

/** Copies a text, also on a page that came over plain HTTP, and says so. */
@Component({
  selector: 'gw-copy-text',
  imports: [MatButtonModule],
  template: `
    <button matButton="outlined" type="button" (click)="copy()">{{ label() ?? words().copy }}</button>
    <span role="status">{{ copied() ? words().copied : '' }}</span>
  `,
  styles: `
    :host {
      display: inline-flex;
      align-items: center;
      gap: 8px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class CopyText {
  readonly text = input.required<string>();
  readonly label = input<string | null>(null);
  private readonly clipboard = inject(Clipboard);
  private readonly catalogue = inject(I18n).text;
  protected readonly copied = signal(false);
  private timer?: ReturnType<typeof setTimeout>;

  constructor() {
    inject(DestroyRef).onDestroy(() => clearTimeout(this.timer));
  }

  protected words(): { copy: string; copied: string } {
    return this.catalogue().common;
  }

  protected copy(): void {
    this.copied.set(this.clipboard.copy(this.text()));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.copied.set(false), SAID_MS);
  }
}
