import { setTimeout as wait } from 'node:timers/promises';
import type { Bench } from '../bench';
import { now } from '../processes/clock';
import { type Figure, latencyFigures } from '../report/figures';
import type { Scenario } from './scenario';

const EMERGENCIES = 5;

export const emergency: Scenario = {
  name: 'emergency',
  about: 'an emergency command to all of 1,000 agents while 100,000 other commands run',
  async run(bench: Bench): Promise<Figure[]> {
    const agents = bench.size(1_000, 100);
    const rounds = bench.size(100, 20);
    const machines = await bench.clients(agents);
    const { group } = bench;
    await bench.connect(machines, { workMs: 50 });
    await bench.aim([]);
    const readBack = await bench.beginReadBack();
    const batches: { batchId: string; count: number }[] = [];
    const began = now();
    for (let round = 0; round < rounds; round++) batches.push(await bench.batch(group, { priority: 5 }));
    bench.say(`  ${agents * rounds} commands stored in ${((now() - began) / 1000).toFixed(1)} s`);
    const sent: number[] = [];
    for (let n = 0; n < EMERGENCIES; n++) {
      const { sentAt, ...batch } = await bench.batch(group, { priority: 10, payload: { echo: n } });
      sent.push(sentAt);
      batches.push(batch);
      await wait(bench.size(2_000, 300));
    }
    const { settled } = await bench.simulator.call('tally', null);
    const all = agents * (rounds + EMERGENCIES);
    const busy = settled < all;
    await bench.settled(all);
    const lives = await bench.newLives();
    const took = (lives.reduce((latest, { durableAt }) => Math.max(latest, durableAt), 0) - began) / 1000;
    await bench.prove(readBack, { accepted: [], batches });
    const arrivals = lives
      .filter(({ priority }) => priority === 10)
      .map(({ arrivedAt, data }) => arrivedAt - (sent[data['echo'] as number] ?? NaN));
    bench.curves.push({ name: 'emergency → agent', samples: arrivals });
    return [
      ...latencyFigures(`emergency to ${agents.toLocaleString('en')} agents at work`, arrivals, { p99: 250 }),
      { name: 'the rest of the work was still going on', value: busy ? 1 : 0, unit: '', bound: { atLeast: 1 } },
      {
        name: `all ${all.toLocaleString('en')} commands done`,
        value: took,
        unit: 's',
        note: `${Math.round(all / took)} lives/s`,
      },
    ];
  },
};
