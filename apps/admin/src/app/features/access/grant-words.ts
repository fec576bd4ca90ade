import { ANY_ACTION, type Grant, type ParameterLimits } from '@gwanje/contracts';
import { readLimits } from './limits';
import type { Words } from './words/en';

/** Whom a grant names. */
export function whomWords({ user, role }: Pick<Grant, 'user' | 'role'>): string {
  return user ?? role ?? '';
}

export function actionWords(actions: readonly string[], { grants }: Words): string {
  return actions.includes(ANY_ACTION) ? grants.everyAction : actions.join(', ');
}

/** Limits as short sentences; the action stands before them where the grant names several. */
export function limitWords(limits: ParameterLimits, { grants }: Words): string[] {
  const rows = readLimits(limits);
  return rows.map(({ action, parameter, kind, value }) => {
    const values = kind === 'oneOf' ? value.split('\n').join(', ') : value;
    return `${action}: ${grants.sentence[kind](parameter, values)}`;
  });
}
