import { ChangeDetectionStrategy, Component, computed, inject } from '@angular/core';
import { RouterOutlet } from '@angular/router';
import { I18n } from '../../core/i18n/i18n';
import { Session } from '../../core/session/session';
import { SectionTabs } from '../../shared/section-tabs';

/** The frame around the pages of the audit log. */
@Component({
  selector: 'gw-audit-frame-page',
  imports: [RouterOutlet, SectionTabs],
  template: `
    <gw-section-tabs [label]="text().titles.audit" [tabs]="tabs()" />
    <router-outlet />
  `,
  changeDetection: ChangeDetectionStrategy.OnPush,
})
export class AuditFramePage {
  private readonly user = inject(Session).user;
  protected readonly text = inject(I18n).text;
  protected readonly tabs = computed(() => {
    const { titles } = this.text();
    const may = this.user()?.permissions ?? [];
    return [
      ...(may.includes('audit.read') ? [{ path: '/audit', words: titles.audit, exact: true }] : []),
      ...(may.includes('audit.export') ? [{ path: '/audit/exports', words: titles.auditExports }] : []),
      ...(may.includes('audit.read') ? [{ path: '/audit/seals', words: titles.auditSeals }] : []),
    ];
  });
}
