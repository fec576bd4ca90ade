import { ANY_ACTION, type ParameterLimits, type Permission, SCOPED_PERMISSIONS } from '@gwanje/contracts';
import { isDeepStrictEqual } from 'node:util';

/** Where a grant holds: one client, with the groups that it is in, or one group. */
export type Place = { clientId: string; groups: readonly string[] } | { group: string };

export interface HeldGrant {
  place: Place;
  actions: readonly string[];
  limits: ParameterLimits;
}

/** Everything that somebody may do: permissions, those of them that hold everywhere, and the grants that carry the others. */
export interface Holding {
  permissions: readonly Permission[];
  everywhere: readonly Permission[];
  grants: readonly HeldGrant[];
}

export const NOTHING: Holding = { permissions: [], everywhere: [], grants: [] };

const isScoped = (permission: Permission): boolean => (SCOPED_PERMISSIONS as readonly Permission[]).includes(permission);

/**
 * What somebody would gain by going from `before` to `after` that `giver` does not hold, told in words; empty when it may be given.
 * Nobody gives what they lack: every permission, place, action and parameter limit is compared. With `before` and `after` exchanged it tells
 * what somebody would lose that `giver` does not hold.
 */
export function excess(giver: Holding, before: Holding, after: Holding): string[] {
  return after.permissions.flatMap((permission) => {
    if (!isScoped(permission)) return before.permissions.includes(permission) || giver.permissions.includes(permission) ? [] : [permission];
    if (giver.everywhere.includes(permission) || before.everywhere.includes(permission)) return [];
    if (after.everywhere.includes(permission)) return [`${permission} on all clients`];
    if (!before.permissions.includes(permission) && !giver.permissions.includes(permission)) return [permission];
    const had = before.permissions.includes(permission) ? before.grants : [];
    const held = giver.permissions.includes(permission) ? giver.grants : [];
    return after.grants
      .filter((grant) => !isCovered(grant, had) && !isCovered(grant, held))
      .map((grant) => `${permission} for ${grant.actions.join(', ')} on ${'group' in grant.place ? `the group ${grant.place.group}` : 'this client'}`);
  });
}

/** Whether one of `grants` allows at least what `grant` allows. */
function isCovered(grant: HeldGrant, grants: readonly HeldGrant[]): boolean {
  return grants.some((other) => isWithin(grant.place, other.place) && grant.actions.every((action) => isAsWide(other, grant, action)));
}

function isWithin(place: Place, other: Place): boolean {
  if ('group' in place) return 'group' in other && other.group === place.group;
  return 'group' in other ? place.groups.includes(other.group) : other.clientId === place.clientId;
}

/** Limits are schemas: which of two is wider cannot be told in general, so only none, or the same, counts as wide enough. */
function isAsWide(other: HeldGrant, grant: HeldGrant, action: string): boolean {
  if (!other.actions.includes(action) && !other.actions.includes(ANY_ACTION)) return false;
  const limited = action === ANY_ACTION ? Object.keys(other.limits) : [action];
  return limited.every((name) => other.limits[name] === undefined || isDeepStrictEqual(other.limits[name], grant.limits[name]));
}
