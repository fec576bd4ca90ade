import { type Permission, SCOPED_PERMISSIONS } from '@gwanje/contracts';
import type { ExplainedGrant, Explanation } from './access-api';
import { limitWords } from './grant-words';
import type { Words } from './words/en';

/** One step of an explanation: what was looked at, and whether it stands in the way. */
export interface Step {
  words: string;
  /** Null where the step decides nothing by itself. */
  fits: boolean | null;
}

/** What the server said, step by step in the reader's words, up to the first thing that decides. */
export function stepsOf(
  { user, client, grants }: Explanation,
  permission: Permission,
  permissionWords: string,
  words: Words,
  faultWords: (message: string) => string,
): Step[] {
  const { explain } = words;
  const factor = user.secondFactor;
  if (!factor) return [{ words: explain.accountOff, fits: false }];
  const steps: Step[] = [{ words: explain.accountOn, fits: true }];
  if (!factor.satisfied) return [...steps, { words: explain.factorOwed, fits: false }];
  if (factor.unprovenSessions > 0) {
    steps.push({ words: explain.unproven(String(factor.unprovenSessions)), fits: null });
  } else steps.push({ words: explain.factorFine, fits: true });
  const roles = user.roles.join(', ') || explain.noRoles;
  if (!user.permissions.includes(permission)) {
    return [...steps, { words: explain.lacksPermission(permissionWords, roles), fits: false }];
  }
  steps.push({ words: explain.hasPermission(permissionWords, roles), fits: true });
  // Grants are managed on the clients that one may see, so only the others know no place at all.
  const isBound = permission === 'grants.manage' || (SCOPED_PERMISSIONS as readonly Permission[]).includes(permission);
  if (!isBound) return [...steps, { words: explain.unbound, fits: true }];
  if (user.everywhere) return [...steps, { words: explain.everywhere, fits: true }];
  steps.push({ words: explain.byGrants, fits: null });
  if (grants.length === 0) return [...steps, { words: explain.noGrant(client.name), fits: false }];
  return [...steps, ...grants.map((grant) => stepOf(grant, words, faultWords))];
}

function stepOf(
  { role, group, limits, faults }: ExplainedGrant,
  words: Words,
  faultWords: (message: string) => string,
): Step {
  const { explain } = words;
  const whom = role === null ? explain.thePerson : explain.theRole(role);
  const where = group === null ? explain.theClient : explain.theGroup(group);
  if (faults && faults.length > 0) {
    const told = faults
      .map(
        ({ path, message }) =>
          `${path.replace(/^payload\./, '')} ${faultWords(message.replace(' (the limit of your grant)', ''))}`,
      )
      .join('; ');
    return { words: explain.grantRefuses(whom, where, told), fits: false };
  }
  const limited = limitWords(limits, words);
  if (limited.length === 0 || faults) return { words: explain.grantOk(whom, where), fits: true };
  return { words: explain.grantLimits(whom, where, limited.join('; ')), fits: true };
}
