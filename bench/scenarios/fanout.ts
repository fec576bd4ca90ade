import type { Bench } from '../bench';
import { type Figure, percentile } from '../report/figures';
import type { Identity } from '../simulator/transport';
import { imaginary, inLoop } from './loop';
import type { Scenario } from './scenario';

const SIZES: [agents: number, atMost: number][] = [
  [1_000, 0.5],
  [5_000, 2],
  [10_000, 4],
];

const SMALL: typeof SIZES = [[200, 0.5]];

/** Seconds from before one batch is sent until the last result of it is durable. */
export async function oneBatch(
  bench: Bench,
  group: string,
  count: number,
  extra: Record<string, unknown> = {},
): Promise<{ seconds: number; batchId: string; arrival: number[] }> {
  const { settled } = await bench.simulator.call('tally', null);
  const { sentAt, batchId } = await bench.batch(group, extra);
  await bench.settled(settled + count);
  const lives = await bench.newLives();
  // Of a batch that is not done there is no last result.
  const last = lives.length < count ? NaN : lives.reduce((latest, { durableAt }) => Math.max(latest, durableAt), 0);
  return { seconds: (last - sentAt) / 1000, batchId, arrival: lives.map(({ arrivedAt }) => arrivedAt - sentAt) };
}

export const fanout: Scenario = {
  name: 'fanout',
  about: 'one batch to 1,000, 5,000 and 10,000 connected agents, until the last result is durable',
  async run(bench: Bench): Promise<Figure[]> {
    const figures: Figure[] = [];
    for (const [agents, atMost] of bench.size(SIZES, SMALL)) {
      const machines = await bench.clients(agents);
      const live = await bench.connect(machines);
      bench.say(`  ${agents} agents connected in ${(live / 1000).toFixed(1)} s`);
      await bench.aim([]);
      const readBack = await bench.beginReadBack();
      const rounds = await bench.profiled(`fanout-${agents}`, () => several(bench, bench.group, agents));
      await bench.prove(readBack, { accepted: [], batches: rounds.map(({ batchId }) => ({ batchId, count: agents })) });
      const times = warm(rounds).map(({ seconds }) => seconds);
      const others = imaginary(agents);
      const inMemory = await inLoop(bench, {}, () => ofTheLoop(bench, others));
      const withRows = await inLoop(bench, { rowsOf: others }, () => ofTheLoop(bench, others));
      const seconds = percentile(times, 0.5);
      bench.say(
        `  ${agents} agents: ${times.map((time) => time.toFixed(2)).join(', ')} s; the loop in memory ${inMemory.toFixed(2)} s, with its rows ${withRows.toFixed(2)} s`,
      );
      figures.push({
        name: `last of ${agents.toLocaleString('en')} results durable`,
        value: seconds,
        unit: 's',
        bound: { atMost },
        note: `median of ${times.length}; ${(seconds / withRows).toFixed(1)} × the loop with its rows (${withRows.toFixed(2)} s), ${(seconds / inMemory).toFixed(1)} × in memory (${inMemory.toFixed(2)} s); last arrival ${(percentile(rounds.at(-1)?.arrival ?? [], 1) / 1000).toFixed(2)} s`,
      });
    }
    return figures;
  },
};

type Round = Awaited<ReturnType<typeof oneBatch>>;

const MEASURED = 3;
/** Of a server that has just started, the first lives are the compiler's: a batch to a thousand agents takes a quarter less time in the sixth round than in the first. */
const WARM_UP_LIVES = 5_000;

/** The rounds before the last MEASURED are the warming up. */
async function several(bench: Bench, group: string, agents: number): Promise<Round[]> {
  const rounds: Round[] = [];
  const count = bench.size(MEASURED + Math.ceil(WARM_UP_LIVES / agents), 1);
  while (rounds.length < count) rounds.push(await oneBatch(bench, group, agents));
  return rounds;
}

const warm = (rounds: Round[]): Round[] => rounds.slice(-MEASURED);

async function ofTheLoop(bench: Bench, machines: Identity[]): Promise<number> {
  await bench.connect(machines, { transport: 'sse', faults: [] });
  await bench.aim([]);
  const rounds = await several(bench, 'all', machines.length);
  await bench.allLives();
  return percentile(
    warm(rounds).map(({ seconds }) => seconds),
    0.5,
  );
}
