import { DialogRef } from '@angular/cdk/dialog';
import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core';
import { MatButtonModule } from '@angular/material/button';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { pagesOf } from '../../pages';

/** Which keys do what, for the pages that this person sees. */
@Component({
  selector: 'gw-shortcut-list',
  imports: [MatButtonModule],
  template: `
    <h2 id="shortcuts">{{ text().shortcuts.title }}</h2>
    <dl>
      @for (shortcut of shortcuts(); track shortcut.does) {
        <div>
          <dt>
            @for (key of shortcut.keys; track $index) {
              @if ($index > 0) {
                <span>{{ shortcut.joint }}</span>
              }
              <kbd>{{ key }}</kbd>
            }
          </dt>
          <dd>{{ shortcut.does }}</dd>
        </div>
      }
    </dl>
    <button matButton type="button" (click)="dialog.close()">{{ text().common.close }}</button>
  `,
  styles: `
    :host {
      display: block;
      padding: 24px;
    }
    dl {
      margin: 16px 0;
    }
    div {
      display: grid;
      grid-template-columns: minmax(9em, auto) 1fr;
      gap: 16px;
      padding: 8px 0;
      border-top: 1px solid var(--mat-sys-outline-variant);
    }
    dd {
      margin: 0;
    }
    span {
      margin: 0 6px;
      color: var(--mat-sys-on-surface-variant);
    }
    kbd {
      padding: 2px 8px;
      border: 1px solid var(--mat-sys-outline);
      border-radius: 6px;
      font-family: var(--gw-mono);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class ShortcutList {
  protected readonly dialog = inject<DialogRef>(DialogRef);
  protected readonly text = inject(I18n).text;
  private readonly user = inject(Session).user;
  protected readonly shortcuts = computed(() => {
    const { shortcuts, titles } = this.text();
    return [
      { keys: ['/'], joint: '', does: shortcuts.search },
      { keys: ['Ctrl', 'K'], joint: '+', does: shortcuts.palette },
      { keys: ['?'], joint: '', does: shortcuts.list },
      ...pagesOf(this.user()).map(({ path, key }) => ({
        keys: ['g', key],
        joint: shortcuts.then,
        does: shortcuts.goTo(titles[path]),
      })),
    ];
  });
}
