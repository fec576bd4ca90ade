import type { Routes } from '@angular/router';

export const routes: Routes = [
  { path: '', title: 'clients', loadComponent: () => import('./clients.page').then((m) => m.ClientsPage) },
  { path: 'new', title: 'newClient', loadComponent: () => import('./new-client.page').then((m) => m.NewClientPage) },
  { path: 'enrol', title: 'enrol', loadComponent: () => import('./enrol.page').then((m) => m.EnrolPage) },
  { path: ':id', title: 'client', loadComponent: () => import('./client.page').then((m) => m.ClientPage) },
];
