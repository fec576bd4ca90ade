const FIRST_MS = 500;
const MOST_MS = 30_000;

/** Milliseconds to wait after this many failures in a row: doubled each time, and spread, so that consoles do not return all at once. */
export function backoff(failures: number, random: () => number = Math.random): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.max(0, failures - 1));
  return Math.round(most * (0.5 + random() / 2));
}
