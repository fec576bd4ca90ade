import { inject } from '@angular/core';
import type { Route, Routes } from '@angular/router';
import { may } from './core/session/may';
import { secondFactorDone } from './core/session/second-factor.guard';
import { Session } from './core/session/session';
import { signedIn } from './core/session/signed-in.guard';
import { PAGES, type PageFamily, pagesOf } from './pages';

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
      { path: '', pathMatch: 'full', redirectTo: firstPage },
      ...PAGES.map(routeOf),
      {
        path: '**',
        title: 'notFound',
        loadComponent: () => import('./features/not-found/not-found.page').then((m) => m.NotFoundPage),
      },
    ],
  },
];

/** What a person may not see does not exist for them. Visitors are led to the log-in first. */
function routeOf({ path, permissions, load }: PageFamily): Route {
  const isSeen = (): boolean => {
    const user = inject(Session).user();
    return user === null || may(user, ...permissions);
  };
  return { path, canMatch: [isSeen], loadChildren: () => load().then((m) => m.routes) };
}

function firstPage(): string {
  const user = inject(Session).user();
  return user ? (pagesOf(user)[0]?.path ?? '/not-found') : '/login';
}
