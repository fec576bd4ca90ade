import type { Routes } from '@angular/router';

export const routes: Routes = [
  { path: '', title: 'system', loadComponent: () => import('./system.page').then((m) => m.SystemPage) },
];
