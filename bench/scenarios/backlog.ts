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
    await warmUp(bench, ids);
    const off = bench.size(1_000, 100);
    const rounds = bench.size(90, 9);
    await bench.clients(off);
    const { group } = bench;
    const turns = bench.size(5, 1);
    const withIt: Measured[] = [];
    const without = [await measure(bench, ids)];
    const drained: Figure[] = [];
    while (withIt.length < turns) {
      await fill(bench, group, off, rounds);
      withIt.push(await measure(bench, ids));
      if (withIt.length === turns) {
        drained.push(...(await drain(bench)));
        await bench.connect(machines);
      }
      await bench.installation.database.query(`DELETE FROM commands WHERE status = 'pending'`);
      without.push(await measure(bench, ids));
    }
    const both = (of: (measured: Measured) => number, digits: number): string =>
      [withIt, without].map((all) => all.map((one) => of(one).toFixed(digits)).join(', ')).join(' with it; ') +
      ' without';
    const pending = (off * rounds).toLocaleString('en');
    return [
      {
        name: `with ${pending} pending: create → agent p50 grows`,
        value: growth(withIt, without, 'arrival'),
        unit: '%',
        bound: { atMost: 10 },
        note: `ms: ${both(({ arrival }) => arrival, 2)}`,
      },
      {
        name: 'the same: lives/s, 64 in flight, fall',
        value: -growth(withIt, without, 'rate'),
        unit: '%',
        bound: { atMost: 10 },
        note: `/s: ${both(({ rate }) => rate, 0)}`,
      },
      {
        name: 'the same: GET /api/commands p50 grows',
        value: growth(withIt, without, 'list'),
        unit: '%',
        bound: { atMost: 10 },
        note: `ms: ${both(({ list }) => list, 2)}`,
      },
      {
        name: 'the same: CPU of PostgreSQL for a life grows',
        value: growth(withIt, without, 'ofPostgres'),
        unit: '%',
        note: `ms: ${both(({ ofPostgres }) => ofPostgres, 2)}`,
      },
      costFigure('CPU of the server for each list, with them', withIt.at(-1)?.costOfList ?? {}, cpus().length),
      ...drained,
    ];
  },
};

/** Medians in ms, lives/s, and ms of PostgreSQL's CPU for a life. */
type Compared = 'arrival' | 'rate' | 'list' | 'ofPostgres';
type Measured = Record<Compared, number> & { costOfList: Record<string, number> };

/**
 * In %, the median of all turns. The machine is not the same from one minute to the next, so each measurement with the backlog is held against
 * those right before and after it.
 */
function growth(withIt: Measured[], without: Measured[], of: Compared): number {
  const around = (turn: number): number => ((without[turn]?.[of] ?? NaN) + (without[turn + 1]?.[of] ?? NaN)) / 2;
  const ratios = withIt.map((measured, turn) => measured[of] / around(turn));
  return 100 * (percentile(ratios, 0.5) - 1);
}

async function measure(bench: Bench, ids: string[]): Promise<Measured> {
  await bench.installation.rest();
  // The first, as it has a warming up: new statistics of a table make PostgreSQL plan again.
  const { rate, cost } = await throughput(bench, ids, 64, bench.size(6, 2));
  const { arrival } = await pacedLatencies(bench, ids, bench.size(80, 30));
  const { url, token } = await bench.server();
  // Without pauses: after each of them the cores have to wake up first, which says nothing of the list.
  const list: number[] = [];
  const lists = bench.size(300, 50);
  const meter = bench.meterCpu();
  for (let n = 0; n < lists; n++) {
    const began = now();
    await (
      await fetch(`${url}/api/commands?limit=50`, { headers: { Authorization: `Bearer ${token}` } })
    ).arrayBuffer();
    list.push(now() - began);
  }
  const costOfList = meter.stop()(lists);
  const ofPostgres = cost['PostgreSQL'] ?? NaN;
  return { arrival: percentile(arrival, 0.5), rate, list: percentile(list, 0.5), ofPostgres, costOfList };
}

/** Machines that were off come back to what has waited for them. */
async function drain(bench: Bench): Promise<Figure[]> {
  const machines = bench.size(100, 20);
  const sleepers = await bench.clients(machines);
  const readBack = await bench.beginReadBack();
  const batches = await batchesOf(bench, bench.group, machines, bench.size(100, 20));
  const began = now();
  await bench.connect(sleepers);
  await bench.settled(batches.length * machines);
  const lives = await bench.newLives();
  const seconds = (lives.reduce((latest, { durableAt }) => Math.max(latest, durableAt), 0) - began) / 1000;
  await bench.prove(readBack, { accepted: [], batches });
  return [
    {
      name: `drain of ${lives.length.toLocaleString('en')} on reconnect`,
      value: seconds,
      unit: 's',
      note: `${Math.round(lives.length / seconds)} lives/s`,
    },
    {
      name: 'of these, handed out after one of lower priority',
      value: outOfOrder(lives),
      unit: '',
      bound: { atMost: 0 },
    },
  ];
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
