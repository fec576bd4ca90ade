import { join } from 'node:path';
import { v7 as uuid } from 'uuid';
import type { Bench, Target } from '../bench';
import type { BareServerMethods } from '../limits/bare-server';
import { redisHop, sseHop } from '../limits/hops';
import { PostgresLimits } from '../limits/postgres';
import { Child } from '../processes/child';
import { now } from '../processes/clock';
import { type Figure, percentile } from '../report/figures';
import { latencies, ratePerSecond } from './lives';
import type { Scenario } from './scenario';

/** The names under which other scenarios find their yardsticks. */
export const LIMIT = {
  commit: 'PostgreSQL, one commit, p50',
  stepwise: 'PostgreSQL alone, a transaction a step',
  grouped: 'PostgreSQL alone, group-committed by 200',
  redis: 'Redis, publish → subscribe, p50',
  sse: 'bare SSE, write → read, p50',
  http: 'bare HTTP request, p50',
  requests: 'bare HTTP requests, 64 in flight',
  loop: { full: 'loop in memory, 64 in flight, with start', brief: 'loop in memory, 64 in flight' },
  arrival: 'loop in memory, create → agent has it, p50',
  durable: 'loop in memory, create → result, p50',
} as const;

/** The loop in memory, while `work` uses it in the place of the server. */
export async function inMemory<T>(bench: Bench, work: (loop: Target) => Promise<T>): Promise<T> {
  const server = new Child<BareServerMethods>('the loop in memory', join(__dirname, '..', 'limits', 'bare-server.ts'));
  try {
    const loop = { url: `http://127.0.0.1:${await server.call('start', null)}`, token: 'none' };
    return await bench.instead(loop, () => work(loop));
  } finally {
    await server.stop();
  }
}

/** Machines that exist in the loop only. */
export const imaginary = (count: number): { id: string; name: string; key: string }[] =>
  Array.from({ length: count }, (_, n) => ({ id: uuid(), name: `loop-${n}`, key: 'none' }));

/** What the parts can do at all, here and now: the yardstick of everything else. */
export const limits: Scenario = {
  name: 'limits',
  about: 'what the parts can do alone, in this run',
  withoutServer: true,
  async run(bench: Bench): Promise<Figure[]> {
    const seconds = bench.size(8, 3);
    const times = bench.size(300, 50);
    const postgres = await PostgresLimits.on(await bench.installation.copyTemplate('limits'));
    const figures: Figure[] = [];
    const add = (name: string, value: number, unit: Figure['unit'], note?: string): void => {
      figures.push({ name, value, unit, ...(note && { note }) });
      bench.say(`  ${name}: ${value.toPrecision(4)} ${unit}`);
    };
    add(LIMIT.commit, await postgres.oneCommit(times), 'ms');
    add(LIMIT.stepwise, await postgres.livesPerSecond(20, 1, seconds), '/s', '20 connections, 4 transactions a life');
    add(LIMIT.grouped, await postgres.livesPerSecond(2, 200, seconds), '/s', '2 connections');
    add(LIMIT.redis, await redisHop(bench.installation.redis.url, times), 'ms');
    await inMemory(bench, async (loop) => {
      add(LIMIT.sse, await sseHop(loop.url, times), 'ms');
      const machines = imaginary(100);
      const ids = machines.map(({ id }) => id);
      for (const conduct of ['full', 'brief'] as const) {
        await bench.connect(machines, { conduct, transport: 'sse', faults: [] });
        await bench.aim(ids);
        await bench.load.call('closed', { inFlight: 64, seconds });
        const lives = await bench.simulator.call('lives', null);
        const accepted = await bench.load.call('accepted', null);
        add(LIMIT.loop[conduct], ratePerSecond(accepted, lives, seconds * 0.8), '/s', 'the ceiling of this benchmark');
      }
      await bench.load.call('paced', { perSecond: 20, count: bench.size(400, 40) });
      const accepted = await bench.load.call('accepted', null);
      const { arrival, durable } = latencies(accepted, await bench.simulator.call('lives', null));
      bench.curves.push({ name: 'loop in memory: create → agent', samples: arrival });
      add(LIMIT.arrival, percentile(arrival, 0.5), 'ms', `p99 ${percentile(arrival, 0.99).toFixed(1)} ms`);
      add(LIMIT.durable, percentile(durable, 0.5), 'ms', `p99 ${percentile(durable, 0.99).toFixed(1)} ms`);
      add(
        LIMIT.http,
        percentile(
          accepted.map(({ sentAt, answeredAt }) => answeredAt - sentAt),
          0.5,
        ),
        'ms',
      );
      // From here on nobody listens: a request and its answer, and nothing behind them.
      await bench.disconnect();
      await bench.aim(ids, { follow: false });
      const began = now();
      await bench.load.call('closed', { inFlight: 64, seconds });
      add(LIMIT.requests, (await bench.load.call('accepted', null)).length / ((now() - began) / 1000), '/s');
    });
    return figures;
  },
};

/** What one command from its creation to its agent is made of: two commits, two hops over Redis, a request and an event. */
export function sumOfParts(bench: Bench): number {
  const of = (name: string): number => bench.known.get(name) ?? NaN;
  return 2 * of(LIMIT.commit) + 2 * of(LIMIT.redis) + of(LIMIT.http) + of(LIMIT.sse);
}

/** `value` as a percentage of a limit of this run. */
export const shareOf = (bench: Bench, limit: string, value: number): number =>
  (100 * value) / (bench.known.get(limit) ?? NaN);
