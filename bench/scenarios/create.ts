import { cpus } from 'node:os';
import type { Bench } from '../bench';
import { now } from '../processes/clock';
import { costFigure, type Figure, latencyFigures } from '../report/figures';
import { LIMIT, shareOf } from './limits';
import type { Scenario } from './scenario';

export const create: Scenario = {
  name: 'create',
  about: 'POST /api/commands alone, for machines that are off: accepted and durable',
  async run(bench: Bench): Promise<Figure[]> {
    const machines = await bench.clients(100);
    const ids = machines.map(({ id }) => id);
    const figures: Figure[] = [];
    for (const inFlight of [64, 256] as const) {
      await bench.aim(ids, { follow: false, sockets: inFlight });
      const readBack = await bench.beginReadBack();
      await bench.load.call('closed', { inFlight, seconds: bench.size(3, 1) });
      const meter = bench.meterCpu();
      const began = now();
      const run = (): Promise<unknown> => bench.load.call('closed', { inFlight, seconds: bench.size(10, 2) });
      await (inFlight === 64 ? bench.profiled('create', run) : run());
      const took = (now() - began) / 1000;
      const eachOf = meter.stop();
      const { accepted } = await bench.prove(readBack, { state: 'pending', lives: [] });
      const measured = accepted.filter(({ sentAt }) => sentAt >= began);
      const rate = measured.length / took;
      bench.say(`  ${inFlight} in flight: ${Math.round(rate)} requests/s`);
      figures.push({
        name: `requests accepted and durable, ${inFlight} in flight`,
        value: rate,
        unit: '/s',
        bound: { atLeast: 6_000 },
        note: `${shareOf(bench, LIMIT.creates[inFlight], rate).toFixed(0)} % of the loop with its rows, ${shareOf(bench, LIMIT.requests, rate).toFixed(0)} % of bare HTTP`,
      });
      if (inFlight === 64)
        figures.push(
          costFigure('CPU of the server for each create', eachOf(measured.length), cpus().length),
          ...latencyFigures(
            'answer of a create',
            measured.map(({ sentAt, answeredAt }) => answeredAt - sentAt),
          ),
        );
    }
    return figures;
  },
};
