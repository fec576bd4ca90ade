import type { Routes } from '@angular/router';
import { secondFactorDone } from './core/session/second-factor.guard';
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
    canActivateChild: [secondFactorDone],
    loadComponent: () => import('./features/shell/shell').then((m) => m.Shell),
    children: [
      { path: '', pathMatch: 'full', redirectTo: 'commands' },
      { path: 'commands', loadChildren: () => import('./features/commands/commands.routes').then((m) => m.routes) },
      { path: 'access', loadChildren: () => import('./features/access/access.routes').then((m) => m.routes) },
      { path: 'audit', loadChildren: () => import('./features/audit/audit.routes').then((m) => m.routes) },
      { path: 'profile', loadChildren: () => import('./features/profile/profile.routes').then((m) => m.routes) },
      {
        path: '**',
        title: 'notFound',
        loadComponent: () => import('./features/not-found/not-found.page').then((m) => m.NotFoundPage),
      },
    ],
  },
];
