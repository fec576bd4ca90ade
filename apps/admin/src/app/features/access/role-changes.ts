import type { Permission, Scope } from '@gwanje/contracts';
import type { Role, RoleInput } from './access-api';

/** What a role is to become; only what was touched. */
export interface RoleDraft {
  permissions?: readonly Permission[];
  scope?: Scope;
  requiresSecondFactor?: boolean;
}

/** What of a role would change; null when nothing would. */
export interface RoleChange {
  role: Role;
  gains: Permission[];
  loses: Permission[];
  scope: Scope | null;
  requiresSecondFactor: boolean | null;
}

export function changeOf(role: Role, draft: RoleDraft | undefined): RoleChange | null {
  if (!draft) return null;
  const permissions = draft.permissions ?? role.permissions;
  const change: RoleChange = {
    role,
    gains: permissions.filter((permission) => !role.permissions.includes(permission)),
    loses: role.permissions.filter((permission) => !permissions.includes(permission)),
    scope: draft.scope === undefined || draft.scope === role.scope ? null : draft.scope,
    requiresSecondFactor:
      draft.requiresSecondFactor === undefined || draft.requiresSecondFactor === role.requiresSecondFactor
        ? null
        : draft.requiresSecondFactor,
  };
  const { gains, loses, scope, requiresSecondFactor } = change;
  return gains.length + loses.length === 0 && scope === null && requiresSecondFactor === null ? null : change;
}

/** The body that makes the change: of a built-in role the server takes the demand for a second factor alone. */
export function inputOf({ role, gains, loses, scope, requiresSecondFactor }: RoleChange): RoleInput {
  const kept = role.permissions.filter((permission) => !loses.includes(permission));
  return {
    ...(gains.length + loses.length > 0 && { permissions: [...kept, ...gains] }),
    ...(scope !== null && { scope }),
    ...(requiresSecondFactor !== null && { requiresSecondFactor }),
  };
}
