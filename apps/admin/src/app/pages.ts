import type { Routes } from '@angular/router';
import type { Permission } from '@gwanje/contracts';
import type { Catalogue } from './core/i18n/en';
import type { User } from './core/http/wire';
import { may } from './core/session/may';
import type { IconName } from './shared/icon';

type Title = keyof Catalogue['titles'];

/** One family of pages. Its line here is its route, its place in the navigation and the palette, and its shortcut. */
export interface PageFamily {
  /** The first part of its addresses, and the key of its title. */
  path: Title;
  icon: IconName;
  /** The letter that goes there after `g`. */
  key: string;
  /** Who has any of these sees it; with none of them, everybody does. */
  permissions: readonly Permission[];
  load: () => Promise<{ routes: Routes }>;
  /** In the menu of the person instead of the navigation. */
  isPersonal?: true;
}

/** In the order of the navigation. The first that a person may see is where they begin. */
export const PAGES: readonly PageFamily[] = [
  {
    path: 'overview',
    icon: 'overview',
    key: 'o',
    permissions: ['commands.read'],
    load: () => import('./features/overview/overview.routes'),
  },
  {
    path: 'clients',
    icon: 'clients',
    key: 'm',
    permissions: ['clients.read'],
    load: () => import('./features/clients/clients.routes'),
  },
  {
    path: 'commands',
    icon: 'commands',
    key: 'c',
    permissions: ['commands.read'],
    load: () => import('./features/commands/commands.routes'),
  },
  {
    path: 'access',
    icon: 'access',
    key: 'a',
    permissions: ['users.manage', 'roles.manage', 'grants.manage'],
    load: () => import('./features/access/access.routes'),
  },
  {
    path: 'audit',
    icon: 'audit',
    key: 'u',
    permissions: ['audit.read', 'audit.export'],
    load: () => import('./features/audit/audit.routes'),
  },
  {
    path: 'alerts',
    icon: 'alerts',
    key: 'l',
    permissions: ['alerts.read'],
    load: () => import('./features/alerts/alerts.routes'),
  },
  {
    path: 'system',
    icon: 'system',
    key: 's',
    permissions: ['system.read'],
    load: () => import('./features/system/system.routes'),
  },
  {
    path: 'profile',
    icon: 'person',
    key: 'p',
    permissions: [],
    load: () => import('./features/profile/profile.routes'),
    isPersonal: true,
  },
];

/** What the palette offers to do, besides going to a family of pages. */
export const ACTIONS: readonly { title: Title; link: string; icon: IconName; permissions: readonly Permission[] }[] = [
  { title: 'newCommand', link: '/commands/new', icon: 'add', permissions: ['commands.create'] },
  { title: 'newClient', link: '/clients/new', icon: 'add', permissions: ['clients.manage'] },
  { title: 'enrol', link: '/clients/enrol', icon: 'key', permissions: ['clients.manage'] },
];

export const pagesOf = (user: User | null): PageFamily[] =>
  PAGES.filter(({ permissions }) => may(user, ...permissions));
