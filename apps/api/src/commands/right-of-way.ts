import { Injectable } from '@nestjs/common';
import { setTimeout as wait } from 'node:timers/promises';

/** Nobody is held up for longer by one emergency after the other. */
const MOST_MS = 1_000;

/**
 * While an emergency is on its way to the agents, other work of this process waits at its next transaction: on a machine that is full
 * the cores are for the emergency. What waits is neither lost nor refused.
 */
@Injectable()
export class RightOfWay {
  private readonly emergencies = new Set<Promise<unknown>>();

  async during<T>(emergency: () => Promise<T>): Promise<T> {
    const work = emergency();
    this.emergencies.add(work);
    try {
      return await work;
    } finally {
      this.emergencies.delete(work);
    }
  }

  /** Resolves when no emergency is on its way, or after a second. */
  async clear(): Promise<void> {
    const until = performance.now() + MOST_MS;
    while (this.emergencies.size > 0 && performance.now() < until) {
      const patience = new AbortController();
      const over = wait(until - performance.now(), undefined, { signal: patience.signal }).catch(() => undefined);
      await Promise.race([Promise.allSettled(this.emergencies), over]);
      patience.abort();
    }
  }
}
