import type { Routes } from '@angular/router';
import { signedIn } from './core/session/signed-in.guard';

/** Each family of pages is loaded when it is first visited; `title` names an entry of the catalogue's `titles`. */
export const routes: Routes = [
  {
    path: 'login',
    title: 'login',
    loadComponent: () => import('./features/login/login.page').then((m) => m.LoginPage),
  },
  {
    path: '',
    canActivate: [signedIn],
    loadComponent: () => import('./features/shell/shell').then((m) => m.Shell),
    children: [
      { path: '', pathMatch: 'full', redirectTo: 'commands' },
      { path: 'commands', loadChildren: () => import('./features/commands/commands.routes').then((m) => m.routes) },
      {
        path: '**',
        title: 'notFound',
        loadComponent: () => import('./features/not-found/not-found.page').then((m) => m.NotFoundPage),
      },
    ],
  },
];
