import type { Command } from '../../core/http/wire';

/** Milliseconds that the work took, by the agent's own word or from start to end; null while it is not known. */
export function durationOf({ result, startedAt, completedAt }: Command): number | null {
  if (result && result.durationMs !== null) return result.durationMs;
  return startedAt && completedAt ? Math.max(0, Date.parse(completedAt) - Date.parse(startedAt)) : null;
}
