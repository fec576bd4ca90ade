import { cpus } from 'node:os';
import type { Bench } from '../bench';
import { costFigure, type Figure } from '../report/figures';
import type { TransportName } from '../simulator/terms';
import { warmUp } from './latency';
import { LIMIT, shareOf } from './limits';
import { throughput as keepInFlight } from './lives';
import type { Scenario } from './scenario';

const FLIGHTS = [1, 16, 64, 256] as const;
/** With 64 in flight. */
const LIVES_PER_SECOND: Record<TransportName, number> = { sse: 2_800, ws: 3_500 };

export const throughput: Scenario = {
  name: 'throughput',
  about: 'single POST /api/commands with 1, 16, 64 and 256 lives in flight over 100 agents, to the durable result',
  overEachTransport: true,
  async run(bench: Bench): Promise<Figure[]> {
    const seconds = bench.size(15, 3);
    const machines = await bench.clients(100);
    const ids = machines.map(({ id }) => id);
    const atLeast = LIVES_PER_SECOND[bench.transport];
    const rates = new Map<number, number>();
    const figures: Figure[] = [];
    await bench.connect(machines);
    await warmUp(bench, ids);
    for (const inFlight of FLIGHTS) {
      const run = (): ReturnType<typeof keepInFlight> => keepInFlight(bench, ids, inFlight, seconds);
      const { rate, cost } = await (inFlight === 64 ? bench.profiled('throughput', run) : run());
      rates.set(inFlight, rate);
      figures.push({
        name: `lives, ${inFlight} in flight`,
        value: rate,
        unit: '/s',
        ...(inFlight === 64 && { bound: { atLeast } }),
        ...((inFlight === 64 || inFlight === 256) && {
          note: `${shareOf(bench, LIMIT.rows[bench.transport][inFlight], rate).toFixed(0)} % of the loop with its rows`,
        }),
      });
      if (inFlight === 64)
        figures.push(
          ofTheLoop(bench, 'full', rate),
          costFigure('CPU of the server for each life', cost, cpus().length),
        );
    }
    figures.push({
      name: '256 in flight over 16 in flight',
      value: (rates.get(256) ?? NaN) / (rates.get(16) ?? NaN),
      unit: '×',
      bound: { atLeast: 1 },
    });
    await bench.connect(machines, { conduct: 'brief' });
    const { rate } = await keepInFlight(bench, ids, 64, seconds);
    figures.push(
      { name: 'lives, 64 in flight, agents that say the result only', value: rate, unit: '/s', bound: { atLeast } },
      ofTheLoop(bench, 'brief', rate),
    );
    return figures;
  },
};

const ofTheLoop = (bench: Bench, conduct: 'full' | 'brief', rate: number): Figure => ({
  name: `the same, of the loop in memory${conduct === 'full' ? ' with start' : ''}`,
  value: shareOf(bench, LIMIT.loop[conduct], rate),
  unit: '%',
  bound: { atLeast: 55 },
  note: `${shareOf(bench, LIMIT.stepwise, rate).toFixed(0)} % of PostgreSQL alone stepwise, ${shareOf(bench, LIMIT.grouped, rate).toFixed(0)} % of grouped`,
});
