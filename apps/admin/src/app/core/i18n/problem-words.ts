import type { Problem } from '../http/problem';
import type { Catalogue } from './en';

/** What to tell a person: words of the catalogue for a known code, else the server's own sentence. */
export function problemWords({ code, detail }: Problem, { problems }: Catalogue): string {
  const { requestId: _, ...byCode } = problems;
  return (byCode as Record<string, string>)[code] ?? (detail || problems.unknown);
}
