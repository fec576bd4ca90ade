import type { AuditItem } from '@gwanje/contracts';
import type { Words } from './words/en';

/** What was done, in words where they are known; a call that had no right is named by its address. */
export function whatWords(action: string, { actions }: Words): string {
  return Object.hasOwn(actions, action) ? (actions[action] ?? action) : action;
}

/** Who did it: the name as it was then. */
export function whoWords({ actor }: Pick<AuditItem, 'actor'>, { by }: Words): string {
  return (
    actor.name ?? (actor.type === 'user' || actor.type === 'agent' ? (actor.id ?? by[actor.type]) : by[actor.type])
  );
}

/** What it was done to: its kind, and its name or id. */
export function targetWords({ target }: Pick<AuditItem, 'target'>, { targets }: Words): string {
  const kind = Object.hasOwn(targets, target.type) ? (targets[target.type] ?? target.type) : target.type;
  return [kind, target.name ?? target.id].filter(Boolean).join(' ');
}

/** The page that shows what a thing of this kind is now; null where there is none. */
export function pageOf(type: string, id: string | null): string[] | null {
  if (id === null) return null;
  switch (type) {
    case 'user':
      return ['/access/users', id];
    case 'client':
    case 'agent':
      return ['/clients', id];
    case 'command':
      return ['/commands', id];
    case 'role':
      return ['/access/roles'];
    case 'audit_export':
      return ['/audit/exports'];
    default:
      return null;
  }
}
