import type { Bench } from '../bench';
import type { Figure } from '../report/figures';
import { throughput } from './lives';
import type { Scenario } from './scenario';

export const oneAgent: Scenario = {
  name: 'one-agent',
  about: 'one agent with 32 commands in flight: nothing dropped, both outputs and the exit code always there',
  async run(bench: Bench): Promise<Figure[]> {
    const machines = await bench.clients(1, { concurrency: 32 });
    await bench.connect(machines, { output: true });
    const before = bench.faults.length;
    const { rate, accepted } = await throughput(
      bench,
      machines.map(({ id }) => id),
      32,
      bench.size(15, 3),
      true,
    );
    return [
      { name: 'lives of one agent, 32 in flight', value: rate, unit: '/s', note: `${accepted.length} commands` },
      {
        name: 'commands dropped, or without their output or exit code',
        value: bench.faults.length - before,
        unit: '',
        bound: { atMost: 0 },
      },
    ];
  },
};
