import { Fleet } from '../../../bench/simulator/fleet';
import type { Identity } from '../../../bench/simulator/transport';
import { until } from '../world';

/** Simulated agents over event streams that never get work here: only when each of them is there counts. */
export class WatchedFleet extends Fleet {
  /** When a stream went live, in milliseconds of this machine's clock. */
  readonly arrivals: number[] = [];

  constructor(
    url: string,
    readonly identities: readonly Identity[],
  ) {
    const settings = { conduct: 'full', transport: 'sse', output: false, workMs: 0, sockets: 64 } as const;
    super({ ...settings, url, identities: [...identities] });
  }

  override noteConnected(change: 1 | -1): void {
    super.noteConnected(change);
    if (change === 1) this.arrivals.push(Date.now());
  }

  /** Has all of them come back: by turns to each server. */
  async spread(): Promise<void> {
    const awaited = this.arrivals.length + this.identities.length;
    this.cut(false);
    await until(60_000, 'all simulated agents are back', () => Promise.resolve(this.arrivals.length >= awaited));
    await this.whole();
  }

  /** Resolves when all of them are live. */
  whole(withinMs = 60_000): Promise<void> {
    return until(withinMs, 'all simulated agents are connected', async () => {
      return this.tally.connected === this.identities.length;
    });
  }
}

/** The most of these moments that lie within any `ms` milliseconds. */
export function mostWithin(moments: readonly number[], ms: number): number {
  const sorted = [...moments].sort((a, b) => a - b);
  let from = 0;
  let most = 0;
  for (const [to, moment] of sorted.entries()) {
    while (moment - (sorted[from] ?? 0) > ms) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
