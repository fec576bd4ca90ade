import { ChangeDetectionStrategy, Component, inject } from '@angular/core';
import { I18n, type Language, LANGUAGES } from '../core/i18n/i18n';

/** Each language by its own name, so that whoever cannot read the page finds theirs. */
@Component({
  selector: 'gw-language-switch',
  template: `
    <div role="group" [attr.aria-label]="i18n.text().user.language">
      @for (language of languages; track language.key) {
        <button
          type="button"
          [lang]="language.key"
          [attr.aria-pressed]="i18n.language() === language.key"
          (click)="i18n.choose(language.key)"
        >
          {{ language.name }}
        </button>
      }
    </div>
  `,
  styles: `
    div {
      display: flex;
      gap: 4px;
    }
    button {
      padding: 6px 12px;
      border: 0;
      border-radius: 999px;
      background: none;
      color: var(--mat-sys-on-surface-variant);
      font: var(--mat-sys-label-large);
      cursor: pointer;
    }
    button:hover {
      background: var(--mat-sys-surface-container-high);
    }
    button[aria-pressed='true'] {
      background: var(--mat-sys-secondary-container);
      color: var(--mat-sys-on-secondary-container);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class LanguageSwitch {
  protected readonly i18n = inject(I18n);
  protected readonly languages = Object.entries(LANGUAGES).map(([key, { name }]) => ({ key: key as Language, name }));
}
