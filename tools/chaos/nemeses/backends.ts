import { createHash } from 'node:crypto';
import { Client } from 'pg';
import type { Random } from '../random';
import { withClient } from '../witnesses';
import type { World } from '../world';
import { during, type Nemesis } from './nemesis';

/** How a server says COMMIT: as text, or as the name of the statement that it has prepared. */
const COMMIT = ['COMMIT', createHash('sha256').update('COMMIT').digest('base64url').slice(0, 22)];
const MEMORY_PRESSURE_BYTES = 200_000;

/** What operators, and their machines, do to Redis and PostgreSQL. */
export const BACKEND_NEMESES: readonly Nemesis[] = [
  {
    name: 'FLUSHALL',
    lane: 'redis',
    weight: 4,
    strike: async ({ backends }: World): Promise<boolean> =>
      backends.withRedis((redis) => redis.flushall().then(() => true)),
  },
  {
    name: 'random eviction (allkeys-lru under pressure)',
    lane: 'redis',
    weight: 3,
    strike: async ({ backends }: World, random: Random): Promise<boolean> =>
      backends.withRedis(async (redis) => {
        const figure = async (part: string, name: string): Promise<number> =>
          Number(new RegExp(`${name}:(\\d+)`).exec(await redis.info(part))?.[1]);
        const [used, evicted] = [await figure('memory', 'used_memory'), await figure('stats', 'evicted_keys')];
        await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
        await redis.config('SET', 'maxmemory', used + MEMORY_PRESSURE_BYTES);
        try {
          const junk = Array.from({ length: 400 }, () => 'x'.repeat(random.whole(500, 2_000)));
          // There may be nothing left to evict.
          for (const [n, text] of junk.entries()) await redis.set(`junk:${n}`, text, 'EX', 5).catch(() => undefined);
        } finally {
          await redis.config('SET', 'maxmemory', 0);
        }
        return (await figure('stats', 'evicted_keys')) > evicted;
      }),
  },
  {
    name: 'Redis killed and started again, empty',
    lane: 'redis',
    weight: 1,
    strike: async (world: World, random: Random): Promise<boolean> => {
      await world.backends.killRedis();
      return during(random.whole(0, 4_000), () => world.startRedis());
    },
  },
  {
    name: 'Redis read-only',
    lane: 'redis',
    weight: 2,
    strike: async ({ backends }: World, random: Random): Promise<boolean> =>
      backends.withRedis(async (redis) => {
        await redis.call('REPLICAOF', '127.0.0.1', '1');
        return during(random.whole(500, 4_000), () => redis.call('REPLICAOF', 'NO', 'ONE'));
      }),
  },
  {
    name: 'PostgreSQL immediate restart',
    lane: 'postgres',
    weight: 1,
    strike: async (world: World): Promise<boolean> => {
      await world.crashPostgres();
      return true;
    },
  },
  {
    name: 'killed backends of PostgreSQL',
    lane: 'postgres',
    weight: 4,
    strike: async (world: World, random: Random): Promise<boolean> => {
      return (await terminate(world, random.pick([0.3, 1]))) > 0;
    },
  },
  {
    name: 'PostgreSQL without a free connection',
    lane: 'postgres',
    weight: 1,
    strike: async (world: World, random: Random): Promise<boolean> => {
      const taken: Client[] = [];
      let isFull: boolean;
      const settled = async (): Promise<void> => void (await Promise.allSettled(taken.map((client) => client.end())));
      try {
        await terminate(world, 1);
        const tries = await Promise.allSettled(
          Array.from({ length: 200 }, async () => {
            const client = new Client({ connectionString: world.databaseUrl });
            client.on('error', () => undefined);
            taken.push(client);
            await client.connect();
          }),
        );
        isFull = tries.some(({ status }) => status === 'rejected');
      } catch (error) {
        await settled();
        throw error;
      }
      await during(random.whole(500, 2_500), settled);
      return isFull;
    },
  },
  {
    name: 'exhausted pool behind held locks',
    lane: 'postgres',
    weight: 3,
    strike: async (world: World, random: Random): Promise<boolean> =>
      withClient(world.databaseUrl, async (client) => {
        await client.query('BEGIN');
        await client.query('SELECT id FROM clients ORDER BY id FOR UPDATE');
        return during(random.whole(500, 4_000), () => client.query('ROLLBACK'));
      }),
  },
  {
    name: 'killed backends behind held locks',
    lane: 'postgres',
    weight: 2,
    strike: async (world: World, random: Random): Promise<boolean> =>
      withClient(world.databaseUrl, async (client) => {
        await client.query('BEGIN');
        await client.query('SELECT id FROM clients ORDER BY id FOR UPDATE');
        // The holder of the locks is among the killed.
        await during(random.whole(200, 1_000), () => terminate(world, 1));
        return true;
      }),
  },
  {
    name: 'commit that succeeds, and its caller sees a reset',
    lane: 'postgres',
    weight: 6,
    strike: async ({ postgresLink }: World, random: Random): Promise<boolean> => {
      const before = postgresLink.disturbed;
      postgresLink.loseAnswersTo(COMMIT, random.whole(1, 4));
      await during(random.whole(300, 1_500), () => postgresLink.loseAnswersTo([], 0));
      return postgresLink.disturbed > before;
    },
  },
];

/** Answers how many. */
async function terminate(world: World, share: number): Promise<number> {
  const { rowCount } = await withClient(world.databaseUrl, (client) =>
    client.query(
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < $1',
      [share],
    ),
  );
  return rowCount ?? 0;
}
