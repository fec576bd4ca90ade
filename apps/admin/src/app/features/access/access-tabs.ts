import type { Permission } from '@gwanje/contracts';

/** The pages of this family, each with the permission that its calls need. */
const TABS = [
  { name: 'users', permission: 'users.manage' },
  { name: 'roles', permission: 'roles.manage' },
  { name: 'grants', permission: 'grants.manage' },
  { name: 'explain', permission: 'users.manage' },
] as const satisfies readonly { name: string; permission: Permission }[];

export type AccessTab = (typeof TABS)[number]['name'];

/** Those that somebody with these permissions is offered. */
export function accessTabs(permissions: readonly Permission[]): AccessTab[] {
  return TABS.filter(({ permission }) => permissions.includes(permission)).map(({ name }) => name);
}
