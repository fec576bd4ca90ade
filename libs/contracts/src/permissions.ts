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
] as const;
export type Permission = (typeof PERMISSIONS)[number];

export const BUILT_IN_ROLES: Readonly<Record<'admin' | 'operator' | 'viewer' | 'auditor', readonly Permission[]>> = {
  admin: PERMISSIONS,
  operator: ['commands.create', 'commands.read', 'commands.cancel', 'commands.retry', 'clients.read'],
  viewer: ['commands.read', 'clients.read'],
  auditor: ['commands.read', 'clients.read', 'audit.read', 'audit.export'],
};
