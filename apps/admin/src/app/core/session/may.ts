import type { Permission } from '@gwanje/contracts';
import type { User } from '../http/wire';

/** Whether the person has any of these permissions, at least somewhere; nothing is asked for where none is named. */
export function may(user: User | null, ...permissions: readonly Permission[]): boolean {
  return permissions.length === 0 || permissions.some((permission) => user?.permissions.includes(permission));
}
