import { Clipboard } from '@angular/cdk/clipboard';
import { booleanAttribute, ChangeDetectionStrategy, Component, inject, input, signal } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { I18n } from '../core/i18n/i18n';
import { Icon } from './icon';

/** A text to copy; with `isSecret`, one that is never shown again, and says so. */
@Component({
  selector: 'gw-copy-text',
  imports: [Icon, MatButtonModule],
  template: `
    <p class="label" [id]="id">{{ label() }}</p>
    <div class="line">
      <code tabindex="0" [attr.aria-labelledby]="id">{{ value() }}</code>
      <button matButton="outlined" type="button" (click)="copy()">
        <gw-icon matButtonIcon name="copy" />{{ text().common.copy }}
      </button>
    </div>
    @if (isSecret()) {
      <p class="once">{{ text().common.shownOnce }}</p>
    }
    <p role="status">
      @if (outcome(); as outcome) {
        {{ text().common[outcome] }}
      }
    </p>
  `,
  styles: `
    :host {
      display: block;
    }
    p {
      margin: 0;
      color: var(--mat-sys-on-surface-variant);
    }
    .label {
      margin-bottom: 4px;
      font: var(--mat-sys-label-large);
    }
    .line {
      display: flex;
      flex-wrap: wrap;
      align-items: center;
      gap: 8px;
    }
    code {
      flex: 1 1 240px;
      min-width: 0;
      max-height: 30vh;
      overflow: auto;
      padding: 10px 12px;
      border-radius: 8px;
      background: var(--mat-sys-surface-container);
      font-family: var(--gw-mono);
      overflow-wrap: anywhere;
      user-select: all;
    }
    .once {
      margin-top: 4px;
      color: var(--gw-warn);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class CopyText {
  readonly label = input.required<string>();
  readonly value = input.required<string>();
  readonly isSecret = input(false, { transform: booleanAttribute });

  private readonly clipboard = inject(Clipboard);
  protected readonly id = `copy-${next++}`;
  protected readonly text = inject(I18n).text;
  protected readonly outcome = signal<'copied' | 'copyFailed' | null>(null);

  protected copy(): void {
    this.outcome.set(this.clipboard.copy(this.value()) ? 'copied' : 'copyFailed');
  }
}

let next = 0;
