import { cpus } from 'node:os';
import type { Bench } from '../bench';
import { now } from '../processes/clock';
import { costFigure, type Figure, percentile } from '../report/figures';
import type { Life } from '../simulator/terms';
import { pacedLatencies, warmUp } from './latency';
import { throughput } from './lives';
import type { Scenario } from './scenario';

export const backlog: Scenario = {
  name: 'backlog',
  about:
    '100,000 pending commands for machines that are off: does anything else get slower? Then 10,000 of them are drained',
  async run(bench: Bench): Promise<Figure[]> {
    const machines = await bench.clients(100);
    const ids = machines.map(({ id }) => id);
    await bench.connect(machines);
    const before = await measure(bench, ids);
    const off = bench.size(1_000, 100);
    const rounds = bench.size(90, 9);
    await bench.clients(off);
    await fill(bench, bench.group, off, rounds);
    const withIt = await measure(bench, ids);

    const drained = bench.size(100, 20);
    const sleepers = await bench.clients(drained);
    const readBack = await bench.beginReadBack();
    const batches = await batchesOf(bench, bench.group, drained, bench.size(100, 20));
    const began = now();
    await bench.connect(sleepers);
    await bench.settled(batches.length * drained);
    const lives = await bench.newLives();
    const last = lives.reduce((latest, { durableAt }) => Math.max(latest, durableAt), 0);
    await bench.prove(readBack, { accepted: [], batches });

    await bench.installation.database.query(`DELETE FROM commands WHERE status = 'pending'`);
    await bench.connect(machines);
    const after = await measure(bench, ids);
    // The machine is not the same from one minute to the next: what it does without the backlog is the mean of before and after.
    const without = (of: Median): number => (before[of] + after[of]) / 2;
    const growth = (of: Median): number => 100 * (withIt[of] / without(of) - 1);
    const note = (of: Median, unit: string, digits: number): string =>
      `${[before, withIt, after].map((one) => one[of].toFixed(digits)).join(' → ')} ${unit} before, with and after it`;
    const pending = (off * rounds).toLocaleString('en');
    return [
      {
        name: `with ${pending} pending: create → agent p50 grows`,
        value: growth('arrival'),
        unit: '%',
        bound: { atMost: 10 },
        note: note('arrival', 'ms', 2),
      },
      {
        name: 'the same: lives/s, 64 in flight, fall',
        value: -growth('rate'),
        unit: '%',
        bound: { atMost: 10 },
        note: `${note('rate', '/s', 0)}; CPU of PostgreSQL for a life ${[before, withIt, after].map(({ costOfLife }) => costOfLife['PostgreSQL']?.toFixed(2)).join(', ')} ms`,
      },
      {
        name: 'the same: GET /api/commands p50 grows',
        value: growth('list'),
        unit: '%',
        bound: { atMost: 10 },
        note: note('list', 'ms', 2),
      },
      costFigure('CPU of the server for each list, with them', withIt.costOfList, cpus().length),
      {
        name: `drain of ${lives.length.toLocaleString('en')} on reconnect`,
        value: (last - began) / 1000,
        unit: 's',
        note: `${Math.round((1000 * lives.length) / (last - began))} lives/s`,
      },
      {
        name: 'of these, handed out after one of lower priority',
        value: outOfOrder(lives),
        unit: '',
        bound: { atMost: 0 },
      },
    ];
  },
};

/** In ms, and lives/s. */
type Median = 'arrival' | 'rate' | 'list';
type Measured = Record<Median, number> & { costOfList: Record<string, number>; costOfLife: Record<string, number> };

async function measure(bench: Bench, ids: string[]): Promise<Measured> {
  await bench.installation.rest();
  await warmUp(bench, ids);
  const { arrival } = await pacedLatencies(bench, ids, bench.size(300, 30));
  const { rate, cost: costOfLife } = await throughput(bench, ids, 64, bench.size(15, 2));
  const { url, token } = await bench.server();
  // Without pauses: after each of them the cores have to wake up first, which says nothing of the list.
  const list: number[] = [];
  const lists = bench.size(1_000, 50);
  const meter = bench.meterCpu();
  for (let n = 0; n < lists; n++) {
    const began = now();
    await (
      await fetch(`${url}/api/commands?limit=50`, { headers: { Authorization: `Bearer ${token}` } })
    ).arrayBuffer();
    list.push(now() - began);
  }
  const costOfList = meter.stop()(lists);
  return { arrival: percentile(arrival, 0.5), rate, list: percentile(list, 0.5), costOfList, costOfLife };
}

async function fill(bench: Bench, group: string, machines: number, rounds: number): Promise<void> {
  const readBack = await bench.beginReadBack();
  const batches = await batchesOf(bench, group, machines, rounds);
  await bench.prove(readBack, { accepted: [], lives: [], batches, state: 'pending' });
}

/** So many commands for each machine, in mixed order of priority. */
async function batchesOf(
  bench: Bench,
  group: string,
  machines: number,
  rounds: number,
): Promise<{ batchId: string; count: number }[]> {
  await bench.aim([], { follow: false });
  const batches: { batchId: string; count: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    const { batchId } = await bench.batch(group, { priority: (round * 7) % 10 });
    batches.push({ batchId, count: machines });
  }
  return batches;
}

/** Commands that came to their machine after a less urgent one that was already waiting. */
function outOfOrder(lives: Life[]): number {
  const lowest = new Map<string, number>();
  let wrong = 0;
  for (const { clientId, priority } of [...lives].sort((a, b) => a.arrivedAt - b.arrivedAt)) {
    const seen = lowest.get(clientId) ?? Infinity;
    if (priority > seen) wrong++;
    lowest.set(clientId, Math.min(seen, priority));
  }
  return wrong;
}
