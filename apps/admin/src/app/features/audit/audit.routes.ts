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
        canMatch: [(): boolean => may(inject(Session).user(), 'audit.read')],
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
