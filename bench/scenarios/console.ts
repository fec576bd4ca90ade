import { join } from 'node:path';
import type { Bench } from '../bench';
import type { WatcherMethods } from '../load/watchers';
import { Child } from '../processes/child';
import type { Figure } from '../report/figures';
import { warmUp } from './latency';
import { throughput } from './lives';
import type { Scenario } from './scenario';

export const console100: Scenario = {
  name: 'console',
  about: '100 consoles watching everything while 64 lives are in flight',
  async run(bench: Bench): Promise<Figure[]> {
    const consoles = bench.size(100, 20);
    const seconds = bench.size(15, 3);
    const machines = await bench.clients(100);
    const ids = machines.map(({ id }) => id);
    await bench.connect(machines);
    await warmUp(bench, ids);
    const run = async (): Promise<number> => (await throughput(bench, ids, 64, seconds)).rate;
    const before = await run();
    const watchers = new Child<WatcherMethods>('the consoles', join(__dirname, '..', 'load', 'watchers.ts'));
    try {
      await watchers.call('watch', { ...(await bench.server()), count: consoles });
      const watched = await bench.profiled('console', run);
      const { events, bytes, open } = await watchers.call('tally', null);
      await watchers.stop();
      // Before and after: what else changes with time is not put down to the consoles.
      const without = (before + (await run())) / 2;
      return [
        {
          name: `lives/s with ${consoles} consoles watching`,
          value: watched,
          unit: '/s',
          note: `${without.toFixed(0)} without`,
        },
        { name: 'the same, of without', value: (100 * watched) / without, unit: '%', bound: { atLeast: 80 } },
        {
          name: 'events that a console got',
          value: events / consoles,
          unit: '',
          note: `${(bytes / 1e6).toFixed(0)} MB to all; ${open} of ${consoles} streams still open`,
        },
      ];
    } finally {
      await watchers.stop();
    }
  },
};
