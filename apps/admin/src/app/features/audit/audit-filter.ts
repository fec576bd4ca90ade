import type { AuditFilter } from '@gwanje/contracts';

/** The filter as it stands in the address; what is no filter of the server's is left out. */
export type FilterParams = { [K in keyof AuditFilter]?: string | undefined };

export function filterOf({ actor, action, target, from, to, outcome }: FilterParams): AuditFilter {
  const [since, until] = [instant(from), instant(to)];
  return {
    ...(actor && { actor }),
    ...(action && { action }),
    ...(target && { target }),
    ...(since && { from: since }),
    ...(until && { to: until }),
    ...((outcome === 'done' || outcome === 'refused') && { outcome }),
  };
}

/** What an `<input type="datetime-local">` holds, which is the reader's own time, as UTC; null when it is none. */
export function fromLocalInput(value: string): string | null {
  return instant(value) ?? null;
}

/** UTC as what an `<input type="datetime-local">` shows. */
export function toLocalInput(time: string | undefined): string {
  const at = time === undefined ? NaN : Date.parse(time);
  if (Number.isNaN(at)) return '';
  const date = new Date(at);
  return new Date(at - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function instant(value: string | undefined): string | undefined {
  const at = value ? Date.parse(value) : NaN;
  return Number.isNaN(at) ? undefined : new Date(at).toISOString();
}
