import { cpus } from 'node:os';
import type { Bench } from '../bench';
import { redisHop, sseHop } from '../limits/hops';
import { PostgresLimits } from '../limits/postgres';
import { holdAgainst } from '../limits/rows';
import { costFigure, type Figure, percentile } from '../report/figures';
import { createsOf, imaginary, inLoop, livesOf, pacedOf } from './loop';
import { TRANSPORT_NAMES } from '../simulator/terms';
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
  rows: {
    sse: { 64: 'loop with its rows, 64 in flight, with start', 256: 'loop with its rows, 256 in flight, with start' },
    ws: { 64: 'the same over WebSocket, 64 in flight', 256: 'the same over WebSocket, 256 in flight' },
  },
  creates: {
    64: 'loop with its rows, creates with 64 in flight',
    256: 'loop with its rows, creates with 256 in flight',
  },
} as const;

const FLIGHTS = [64, 256] as const;
const OF_THE_BENCHMARK = 'the ceiling of this benchmark';
const OF_ANY_SERVER = 'the ceiling of any server that writes these rows';

/** What the parts can do at all, here and now: the yardstick of everything else. */
export const limits: Scenario = {
  name: 'limits',
  about: 'what the parts can do alone, in this run',
  withoutServer: true,
  async run(bench: Bench): Promise<Figure[]> {
    const figures: Figure[] = [];
    const add = (name: string, value: number, unit: Figure['unit'], note?: string): void => {
      figures.push({ name, value, unit, ...(note && { note }) });
      bench.say(`  ${name}: ${value.toPrecision(4)} ${unit}`);
    };
    const seconds = bench.size(8, 2);
    const times = bench.size(300, 50);

    const postgres = await PostgresLimits.on(await bench.installation.copyTemplate('limits'));
    add(LIMIT.commit, await postgres.oneCommit(times), 'ms');
    add(LIMIT.stepwise, await postgres.livesPerSecond(20, 1, seconds), '/s', '20 connections, 4 transactions a life');
    add(LIMIT.grouped, await postgres.livesPerSecond(2, 200, seconds), '/s', '2 connections');
    add(LIMIT.redis, await redisHop(bench.installation.redis.url, times), 'ms');

    const machines = imaginary(100);
    const pace = async (loop: string): ReturnType<typeof pacedOf> => {
      const latencies = await pacedOf(bench, machines, bench.size(400, 40));
      for (const [what, samples] of [
        ['agent has it', latencies.arrival] as const,
        ['result', latencies.durable] as const,
      ])
        add(
          `${loop}, create → ${what}, p50`,
          percentile(samples, 0.5),
          'ms',
          `p99 ${percentile(samples, 0.99).toFixed(1)} ms`,
        );
      bench.curves.push({ name: `${loop}: create → agent`, samples: latencies.arrival });
      return latencies;
    };
    await inLoop(bench, {}, async (loop) => {
      add(LIMIT.sse, await sseHop(loop.url, times), 'ms');
      for (const conduct of ['full', 'brief'] as const) {
        const { rate } = await livesOf(bench, loop, machines, { inFlight: 64, conduct, seconds });
        add(LIMIT.loop[conduct], rate, '/s', OF_THE_BENCHMARK);
      }
      const { accepted } = await pace('loop in memory');
      add(
        LIMIT.http,
        percentile(
          accepted.map(({ sentAt, answeredAt }) => answeredAt - sentAt),
          0.5,
        ),
        'ms',
      );
      await bench.disconnect();
      add(LIMIT.requests, (await createsOf(bench, machines, { inFlight: 64, seconds })).rate, '/s');
    });
    await inLoop(bench, { rowsOf: machines }, async (loop) => {
      const written = { completed: 0, pending: 0 };
      for (const transport of TRANSPORT_NAMES)
        for (const inFlight of FLIGHTS) {
          const { count, rate, cost } = await livesOf(bench, loop, machines, { inFlight, seconds, transport });
          add(LIMIT.rows[transport][inFlight], rate, '/s', OF_ANY_SERVER);
          if (inFlight === 64) figures.push(costFigure('CPU of its server for each life', cost, cpus().length));
          written.completed += count;
        }
      written.completed += (await pace('loop with its rows')).accepted.length;
      await bench.disconnect();
      for (const inFlight of FLIGHTS) {
        const { count, rate } = await createsOf(bench, machines, { inFlight, seconds });
        add(LIMIT.creates[inFlight], rate, '/s', OF_ANY_SERVER);
        written.pending += count;
      }
      await holdAgainst(loop.database, written);
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
