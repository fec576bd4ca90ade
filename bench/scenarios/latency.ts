import type { Bench } from '../bench';
import { type Figure, latencyFigures, percentile } from '../report/figures';
import { sumOfParts } from './limits';
import { latencies } from './lives';
import type { Scenario } from './scenario';

const PER_SECOND = 10;

/** Ten commands a second, one after the other over the machines; both latencies in ms. */
export async function pacedLatencies(
  bench: Bench,
  clientIds: string[],
  count: number,
): Promise<{ arrival: number[]; durable: number[] }> {
  await bench.aim(clientIds);
  const readBack = await bench.beginReadBack();
  await bench.load.call('paced', { perSecond: PER_SECOND, count });
  const { accepted, lives } = await bench.prove(readBack);
  return latencies(accepted, lives);
}

/** Lets the server see some work first: its first requests are the compiler's. */
export async function warmUp(bench: Bench, clientIds: string[]): Promise<void> {
  await bench.aim(clientIds);
  const readBack = await bench.beginReadBack();
  await bench.load.call('closed', { inFlight: 8, seconds: bench.size(5, 1) });
  await bench.prove(readBack);
}

export const latency: Scenario = {
  name: 'latency',
  about: 'create → agent has it, and create → result durable, at 10 commands/s over 100 agents',
  async run(bench: Bench): Promise<Figure[]> {
    const machines = await bench.clients(100);
    const ids = machines.map(({ id }) => id);
    await bench.connect(machines);
    await warmUp(bench, ids);
    const { arrival, durable } = await bench.profiled('latency', () => pacedLatencies(bench, ids, bench.size(900, 50)));
    bench.curves.push(
      { name: 'create → agent has it', samples: arrival },
      { name: 'create → result durable', samples: durable },
    );
    const parts = sumOfParts(bench);
    return [
      ...latencyFigures('create → agent has it', arrival, { p50: 3, p99: 12 }),
      {
        name: 'the same p50 over the sum of its parts',
        value: percentile(arrival, 0.5) / parts,
        unit: '×',
        bound: { atMost: 2 },
        note: `parts ${parts.toFixed(2)} ms`,
      },
      ...latencyFigures('create → result durable', durable, { p50: 4.5, p99: 15 }),
    ];
  },
};
