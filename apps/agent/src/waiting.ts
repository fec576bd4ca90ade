import { setTimeout as sleep } from 'node:timers/promises';

/** Rejects with an AbortError when the signal fires first. */
export async function wait(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {});
}

/** Resolves with the work, or without it when the time is over. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const tooLong = wait(ms, done.signal).catch(() => undefined);
  await Promise.race([work, tooLong]).finally(() => done.abort());
}

/** Between two tries of one call. */
export function backoffMs(failures: number, firstMs = 200, capMs = 10_000): number {
  const ceiling = Math.min(capMs, firstMs * 2 ** Math.min(failures, 20));
  return ceiling * (0.5 + Math.random() / 2);
}

/** Before the next connection: a fleet that lost its server at the same moment comes back spread over a second, then over more. */
export function spreadMs(failures: number, firstMs = 1_000, capMs = 10_000): number {
  return Math.random() * Math.min(capMs, firstMs * 2 ** Math.min(failures, 20));
}

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
