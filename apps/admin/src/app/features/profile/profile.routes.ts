import type { Routes } from '@angular/router';

export const routes: Routes = [
  { path: '', title: 'profile', loadComponent: () => import('./profile.page').then((m) => m.ProfilePage) },
];
