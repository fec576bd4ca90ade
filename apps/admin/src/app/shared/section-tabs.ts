import { ChangeDetectionStrategy, Component, input } from '@angular/core';
import { RouterLink, RouterLinkActive } from '@angular/router';

/** The pages of one family, as links above each of them. */
@Component({
  selector: 'gw-section-tabs',
  imports: [RouterLink, RouterLinkActive],
  template: `
    <nav [attr.aria-label]="label()">
      @for (tab of tabs(); track tab.path) {
        <a
          [routerLink]="tab.path"
          routerLinkActive="active"
          [routerLinkActiveOptions]="{ exact: tab.exact ?? false }"
          ariaCurrentWhenActive="page"
          >{{ tab.words }}</a
        >
      }
    </nav>
  `,
  styles: `
    nav {
      display: flex;
      flex-wrap: wrap;
      gap: 4px;
      margin-bottom: 20px;
      border-bottom: 1px solid var(--mat-sys-outline-variant);
    }
    a {
      padding: 8px 14px 10px;
      border-bottom: 3px solid transparent;
      color: var(--mat-sys-on-surface-variant);
      font: var(--mat-sys-label-large);
      text-decoration: none;
    }
    a:hover {
      background: var(--mat-sys-surface-container);
    }
    a.active {
      border-color: var(--mat-sys-primary);
      color: var(--mat-sys-primary);
    }
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class SectionTabs {
  readonly label = input.required<string>();
  readonly tabs = input.required<readonly { path: string; words: string; exact?: boolean }[]>();
}
