import { inject } from '@angular/core';
import type { Routes } from '@angular/router';
import { Session } from '../../core/session/session';
import { accessTabs } from './access-tabs';

export const routes: Routes = [
  {
    path: '',
    loadComponent: () => import('./access.page').then((m) => m.AccessPage),
    children: [
      // Visitors keep the address that they are led back to: which page is theirs is known after the log-in.
      { path: '', pathMatch: 'full', canMatch: [(): boolean => inject(Session).user() === null], children: [] },
      {
        path: '',
        pathMatch: 'full',
        redirectTo: () => accessTabs(inject(Session).user()?.permissions ?? [])[0] ?? 'roles',
      },
      { path: 'users', title: 'users', loadComponent: () => import('./users.page').then((m) => m.UsersPage) },
      {
        path: 'users/new',
        title: 'newUser',
        loadComponent: () => import('./new-user.page').then((m) => m.NewUserPage),
      },
      { path: 'users/:id', title: 'user', loadComponent: () => import('./user.page').then((m) => m.UserPage) },
      { path: 'roles', title: 'roles', loadComponent: () => import('./roles.page').then((m) => m.RolesPage) },
      { path: 'grants', title: 'grants', loadComponent: () => import('./grants.page').then((m) => m.GrantsPage) },
      { path: 'explain', title: 'explain', loadComponent: () => import('./explain.page').then((m) => m.ExplainPage) },
    ],
  },
];
