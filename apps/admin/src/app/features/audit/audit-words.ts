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

/** What it was done to: its kind, and its name, as it was kept or as the change tells it, or its id. */
export function targetWords(
  { target, before, after }: Pick<AuditItem, 'target' | 'before' | 'after'>,
  { targets }: Words,
): string {
  const kind = Object.hasOwn(targets, target.type) ? (targets[target.type] ?? target.type) : target.type;
  return [kind, target.name ?? nameIn(after) ?? nameIn(before) ?? target.id].filter(Boolean).join(' ');
}

function nameIn(value: unknown): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const { email, name } = value as { email?: unknown; name?: unknown };
  return [email, name].find((text) => typeof text === 'string') ?? null;
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
