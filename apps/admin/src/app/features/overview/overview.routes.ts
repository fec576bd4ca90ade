import type { Routes } from '@angular/router';

export const routes: Routes = [
  { path: '', title: 'overview', loadComponent: () => import('./overview.page').then((m) => m.OverviewPage) },
];
