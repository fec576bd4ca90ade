import type { JsonSchema } from './action-definition';

/** What a person may be allowed to do. Roles are sets of these. */
export const PERMISSIONS = [
  'commands.create',
  'commands.read',
  'commands.cancel',
  'commands.retry',
  'clients.read',
  'clients.manage',
  'grants.manage',
  'users.manage',
  'roles.manage',
  'audit.read',
  'audit.export',
  'alerts.read',
  'alerts.manage',
  'system.read',
  'system.manage',
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Permissions over clients: they hold everywhere, or only where a grant says so. The others know no place. */
export const SCOPED_PERMISSIONS = [
  'commands.create',
  'commands.read',
  'commands.cancel',
  'commands.retry',
  'clients.read',
  'clients.manage',
  'audit.read',
  'audit.export',
  'alerts.read',
  'alerts.manage',
] as const satisfies readonly Permission[];

/**
 * Where scoped permissions hold: `all` clients, or those `granted` by `client_permissions`. A role has one, and a user has one that
 * narrows all of their roles.
 */
export const SCOPES = ['all', 'granted'] as const;
export type Scope = (typeof SCOPES)[number];

export const BUILT_IN_ROLES: Readonly<Record<'admin' | 'operator' | 'viewer' | 'auditor', readonly Permission[]>> = {
  admin: PERMISSIONS,
  operator: ['commands.create', 'commands.read', 'commands.cancel', 'commands.retry', 'clients.read'],
  viewer: ['commands.read', 'clients.read'],
  auditor: ['commands.read', 'clients.read', 'audit.read', 'audit.export'],
};

/** In a grant's `actions`: every action. */
export const ANY_ACTION = '*';

/** By action, by parameter of its payload: the schema that a value must meet. `{ print: { copies: { maximum: 10 } } }` */
export type ParameterLimits = Record<string, Record<string, JsonSchema>>;

/** One grant: whom (`user` or `role`) it lets run which actions, within which limits, on which client or group. */
export interface Grant {
  user?: string;
  role?: string;
  /** A group of the client's instead of the client itself. */
  group?: string;
  actions: string[];
  limits: ParameterLimits;
}
