import { randomUUID } from 'node:crypto';
import { sleep } from '../../servers/process';
import { readJournal, readWaits, withClient } from '../witnesses';
import { type AgentHost, until, type World } from '../world';
import type { Figure } from './figure';
import { type Presence, presences, whenEach } from './presences';
import { mostWithin, WatchedFleet } from './watched-fleet';

export interface Scenario {
  name: string;
  run(world: World, fleet: WatchedFleet): Promise<Figure[]>;
}

const AWAY_MS = 120_000;
const BOUND_MS = 90_000;

/** Each under the load that runs all the time; afterwards everything is as before. */
export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'FLUSHALL',
    run: async (world: World): Promise<Figure[]> => {
      const flushes: number[] = [];
      for (let times = 0; times < 20; times++) {
        // More than there are slots: work that is due, and waits.
        for (let n = 0; n < 10; n++) await world.load.orderBatch(100);
        flushes.push(Date.now());
        await world.backends.withRedis((redis) => redis.flushall());
        await sleep(1_000);
      }
      await sleep(3_000);
      const waits = await readWaits(world.databaseUrl);
      const samples = flushes.flatMap((flush) =>
        waits
          .filter(({ dueAt, dispatchedAt }) => dueAt <= flush + 500 && dispatchedAt > flush)
          .map(({ dueAt, dispatchedAt }) => dispatchedAt - Math.max(dueAt, flush)),
      );
      return [{ name: 'after FLUSHALL, due work dispatched', bound: { p: 99, ms: 2_000 }, samples }];
    },
  },
  {
    name: 'SIGKILL of one of two servers',
    run: async (world: World, fleet: WatchedFleet): Promise<Figure[]> => {
      const samples: number[] = [];
      for (let times = 0; times < 8; times++) {
        // After the last one all of them are with the server that lived on.
        await fleet.spread();
        const before = await presences(world.databaseUrl);
        const gone = await gatewayOf(world, times % 2);
        const held = [...before.values()].filter(({ gatewayId, status }) => status === 'online' && gatewayId === gone);
        const isBack = (now: Presence): boolean => now.status === 'online' && now.gatewayId !== gone;
        const dead = world.servers[times % 2]?.killFor(1_000);
        samples.push(
          ...(
            await whenEach(
              world.databaseUrl,
              held.map(({ id }) => id),
              isBack,
              BOUND_MS,
            )
          ).values(),
        );
        await dead;
        await world.waitUntilServersReady();
        await fleet.whole();
      }
      const note = `${Math.round(samples.length / 8)} agents at a time, while the server starts again`;
      return [{ name: 'SIGKILL of one of two servers, its agents are back', bound: { p: 99, ms: 5_000 }, samples, note }];
    },
  },
  {
    name: 'rolling restart',
    run: async (world: World, fleet: WatchedFleet): Promise<Figure[]> => {
      const samples: number[] = [];
      const herds: number[] = [];
      for (const server of world.servers) {
        const [from, began] = [fleet.arrivals.length, Date.now()];
        await server.restart();
        await world.waitUntilServersReady();
        await fleet.whole();
        const returns = fleet.arrivals.slice(from);
        samples.push(...returns.map((at) => at - began));
        herds.push((100 * mostWithin(returns, 100)) / Math.max(1, returns.length));
      }
      const note = `of the returning agents at most ${Math.max(...herds).toFixed(0)} % within any 100 ms`;
      return [{ name: `rolling restart under ${fleet.identities.length} agents, back`, bound: null, samples, note }];
    },
  },
  {
    name: 'PostgreSQL immediate restart',
    run: async (world: World): Promise<Figure[]> => {
      const samples: number[] = [];
      for (let times = 0; times < 8; times++) {
        await world.crashPostgres();
        const accepts = Date.now();
        const writes = world.serverPorts.map(async (port) => {
          await until(BOUND_MS, 'a command is taken again', () => world.load.orderAt(port));
          return Date.now() - accepts;
        });
        samples.push(...(await Promise.all(writes)));
        await sleep(2_000);
      }
      return [
        {
          name: 'PostgreSQL immediately restarted, writes work after it accepts',
          bound: { p: 100, ms: 5_000 },
          samples,
        },
      ];
    },
  },
  {
    name: 'SIGKILL of an agent',
    run: async (world: World): Promise<Figure[]> => {
      const samples: number[] = [];
      const results: number[] = [];
      for (const agent of world.agents) {
        await world.load.orderBatch(400);
        await until(BOUND_MS, 'the agent works', async () => (await journal(agent)).includes('started'));
        agent.link.cut();
        await until(BOUND_MS, 'a result waits', async () => !(await journal(agent)).includes('started'));
        results.push((await journal(agent)).filter((state) => state === 'finished').length);
        await agent.process.killFor(500);
        agent.link.mend();
        const back = Date.now();
        await until(BOUND_MS, 'its outbox is empty', async () => !(await journal(agent)).includes('finished'));
        samples.push(Date.now() - back);
      }
      const note = `${results.join(', ')} results waited; counted from its start`;
      return [{ name: 'SIGKILL of an agent, its outbox is drained', bound: { p: 100, ms: 5_000 }, samples, note }];
    },
  },
  {
    name: 'half-open',
    run: async (world: World): Promise<Figure[]> => {
      const { agents, databaseUrl } = world;
      const before = await presences(databaseUrl);
      const isNoticed = ({ id, status, connectionId }: Presence): boolean =>
        status === 'offline' || connectionId !== before.get(id)?.connectionId;
      const isBack = ({ id, status, connectionId }: Presence): boolean =>
        status === 'online' && connectionId !== before.get(id)?.connectionId;
      for (const { link } of agents) link.halfOpen();
      const ids = agents.map(({ id }) => id);
      const [noticed, back] = await Promise.all([
        whenEach(databaseUrl, ids, isNoticed, BOUND_MS),
        whenEach(databaseUrl, ids, isBack, BOUND_MS),
      ]);
      return [
        { name: 'half-open, noticed by the server', bound: { p: 100, ms: 45_000 }, samples: [...noticed.values()] },
        { name: 'half-open, the agent is back', bound: { p: 100, ms: 45_000 }, samples: [...back.values()] },
      ];
    },
  },
  {
    name: 'Redis away',
    run: async (world: World): Promise<Figure[]> => {
      const from = Date.now();
      await world.backends.killRedis();
      await sleep(AWAY_MS);
      const to = Date.now();
      await sleep(5_000);
      const waits = (await readWaits(world.databaseUrl)).filter(({ dueAt }) => dueAt >= from && dueAt < to);
      await world.startRedis();
      const samples = waits.map(({ dueAt, startedAt }) => startedAt - dueAt);
      const note = `${AWAY_MS / 1000} s; until the agent says that it starts`;
      return [{ name: 'Redis away, delivery', bound: { p: 99, ms: 3_000 }, samples, note }];
    },
  },
];

async function journal({ id, dataDir }: AgentHost): Promise<string[]> {
  return (await readJournal(id, dataDir)).map(({ state }) => state);
}

/** A client of its own tells whose it is: one that connects to this server alone. */
async function gatewayOf(world: World, index: number): Promise<string | null> {
  const { id, clientKey } = await world.createClient(`probe-${randomUUID()}`);
  const stop = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${world.serverPorts[index]}/api/events/${id}`, {
    headers: { Authorization: `Bearer ${clientKey}` },
    signal: stop.signal,
  });
  let gatewayId: string | null = null;
  await until(10_000, 'the probe is online', async () => {
    gatewayId = await withClient(world.databaseUrl, async (client) => {
      const text = `SELECT gateway_id FROM clients WHERE id = $1 AND status = 'online'`;
      return (await client.query<{ gateway_id: string }>(text, [id])).rows[0]?.gateway_id ?? null;
    });
    return gatewayId !== null;
  });
  stop.abort();
  await answer.body?.cancel().catch(() => undefined);
  return gatewayId;
}
