import type { Routes } from '@angular/router';

export const routes: Routes = [
  {
    path: '',
    loadComponent: () => import('./audit-frame.page').then((m) => m.AuditFramePage),
    children: [
      {
        path: '',
        pathMatch: 'full',
        title: 'audit',
        loadComponent: () => import('./audit.page').then((m) => m.AuditPage),
      },
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
