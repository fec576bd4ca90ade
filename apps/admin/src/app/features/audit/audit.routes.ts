import { inject } from '@angular/core';
import type { Routes } from '@angular/router';
import { may } from '../../core/session/may';
import { Session } from '../../core/session/session';

export const routes: Routes = [
  {
    path: '',
    loadComponent: () => import('./audit-frame.page').then((m) => m.AuditFramePage),
    children: [
      {
        path: '',
        pathMatch: 'full',
        title: 'audit',
        canMatch: [isLog],
        loadComponent: () => import('./audit.page').then((m) => m.AuditPage),
      },
      { path: '', pathMatch: 'full', redirectTo: 'exports' },
      {
        path: 'exports',
        title: 'auditExports',
        loadComponent: () => import('./exports.page').then((m) => m.ExportsPage),
      },
      { path: 'seals', title: 'auditSeals', loadComponent: () => import('./seals.page').then((m) => m.SealsPage) },
      {
        path: ':id',
        title: 'auditEntry',
        loadComponent: () => import('./audit-entry.page').then((m) => m.AuditEntryPage),
      },
    ],
  },
];

/** For those who may not read it the exports are the first page. Visitors keep the address that they are led back to. */
function isLog(): boolean {
  const user = inject(Session).user();
  return user === null || may(user, 'audit.read');
}
