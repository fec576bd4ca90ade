import { ChangeDetectionStrategy, Component, inject, input, output } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { I18n } from '../core/i18n/i18n';
import { CopyButton } from './copy-button';
import { saveAs } from './save-as';

/** A secret that no page can show again: a token, a password, recovery codes. */
@Component({
  selector: 'gw-shown-once',
  imports: [CopyButton, MatButtonModule],
  template: `
    <section role="status" [attr.aria-label]="label()">
      <h3>{{ label() }}</h3>
      <p>{{ text().common.shownOnce }}</p>
      <pre tabindex="0" [attr.aria-label]="label()">{{ secret() }}</pre>
      <div class="buttons">
        <gw-copy-button [value]="secret()" />
        @if (fileName(); as name) {
          <button matButton="outlined" type="button" (click)="save(name)">{{ text().common.download }}</button>
        }
        <button matButton type="button" (click)="kept.emit()">{{ text().common.done }}</button>
      </div>
    </section>
  `,
  styles: `
    section {
      padding: 16px;
      border: 1px solid var(--gw-warn);
      border-radius: 12px;
      background: var(--gw-warn-soft);
      color: var(--gw-warn);
    }
    h3,
    p {
      margin: 0 0 8px;
    }
    h3 {
      font: var(--mat-sys-title-small);
    }
    pre {
      background: var(--mat-sys-surface);
      color: var(--mat-sys-on-surface);
      user-select: all;
    }
    .buttons {
      display: flex;
      flex-wrap: wrap;
      gap: 8px;
      margin-top: 12px;
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ShownOnce {
  readonly label = input.required<string>();
  readonly secret = input.required<string>();
  /** Offers a download under this name. */
  readonly fileName = input<string | null>(null);
  readonly kept = output();
  protected readonly text = inject(I18n).text;

  protected save(name: string): void {
    saveAs(new Blob([`${this.secret()}\n`], { type: 'text/plain' }), name);
  }
}
