import type { Routes } from '@angular/router';

export const routes: Routes = [
  { path: '', title: 'commands', loadComponent: () => import('./commands.page').then((m) => m.CommandsPage) },
  { path: 'new', title: 'newCommand', loadComponent: () => import('./send/send.page').then((m) => m.SendPage) },
  { path: ':id', title: 'command', loadComponent: () => import('./command.page').then((m) => m.CommandPage) },
];
