import { sleep } from '../../servers/process';
import { killPoints } from '../kill-points';
import type { Random } from '../random';
import type { Supervised } from '../supervised';
import type { World } from '../world';
import { during, type Nemesis } from './nemesis';

const POINT_PATIENCE_MS = 3_000;
const HOUR_MS = 3_600_000;

/** The power cut of an agent at one of these kill points. */
export const killAgentAt = (...points: string[]): Nemesis => ({
  name: `SIGKILL of an agent at ${points.join(', ')}`,
  lane: 'agents',
  weight: 1,
  strike: async ({ agents }, random) => killAtPoint(random.pick(agents).process, points, random),
});

/** Power cuts, freezes and restarts of servers and agents. */
export const PROCESS_NEMESES: readonly Nemesis[] = [
  {
    name: 'SIGKILL of a server',
    lane: 'servers',
    weight: 2,
    strike: async ({ servers }: World, random: Random): Promise<boolean> =>
      cut(random.pick(servers), random.whole(0, 3_000)),
  },
  {
    name: 'SIGKILL of a server at a kill point',
    lane: 'servers',
    weight: 6,
    strike: async ({ servers }: World, random: Random): Promise<boolean> =>
      killAtPoint(random.pick(servers), killPoints('apps/api/src'), random),
  },
  {
    name: 'SIGSTOP of a server, shorter than its death is noticed',
    lane: 'servers',
    weight: 2,
    strike: async ({ servers }: World, random: Random): Promise<boolean> =>
      freeze(random.pick(servers), random.whole(1_000, 6_000)),
  },
  {
    name: 'SIGSTOP of a server beyond every time-out',
    lane: 'servers',
    weight: 1,
    strike: async ({ servers }: World, random: Random): Promise<boolean> => freeze(random.pick(servers), 20_000),
  },
  {
    name: 'rolling restart of all servers',
    lane: 'servers',
    weight: 1,
    strike: async (world: World): Promise<boolean> => {
      for (const server of world.servers) {
        await server.restart();
        await world.waitUntilServersReady().catch(() => undefined);
      }
      return true;
    },
  },
  {
    name: 'SIGKILL of an agent',
    lane: 'agents',
    weight: 3,
    strike: async ({ agents }: World, random: Random): Promise<boolean> =>
      cut(random.pick(agents).process, random.whole(0, 2_000)),
  },
  {
    name: 'SIGKILL of an agent at a kill point',
    lane: 'agents',
    weight: 8,
    strike: async ({ agents }: World, random: Random): Promise<boolean> =>
      killAtPoint(random.pick(agents).process, killPoints('apps/agent/src'), random),
  },
  {
    name: 'SIGSTOP of an agent',
    lane: 'agents',
    weight: 2,
    strike: async ({ agents }: World, random: Random): Promise<boolean> =>
      freeze(random.pick(agents).process, random.whole(1_000, 8_000)),
  },
  {
    name: 'SIGSTOP of an agent beyond every time-out',
    lane: 'agents',
    weight: 1,
    strike: async ({ agents }: World, random: Random): Promise<boolean> => freeze(random.pick(agents).process, 25_000),
  },
  {
    name: 'orderly restart of an agent',
    lane: 'agents',
    weight: 1,
    strike: async ({ agents }: World, random: Random): Promise<boolean> => {
      const { process } = random.pick(agents);
      if (!process.running) return false;
      await process.restart();
      return true;
    },
  },
  {
    name: 'clock jump of an agent',
    lane: 'agents',
    weight: 3,
    strike: async ({ agents }: World, random: Random): Promise<boolean> => {
      const { process } = random.pick(agents);
      process.setClock(random.pick([-1, 1]) * random.whole(1, 48) * HOUR_MS);
      return during(random.whole(500, 4_000), () => process.setClock(0));
    },
  },
];

async function cut(process: Supervised, awayMs: number): Promise<boolean> {
  if (!process.running) return false;
  await process.killFor(awayMs);
  return true;
}

async function freeze(process: Supervised, ms: number): Promise<boolean> {
  if (!process.running) return false;
  await process.pauseFor(ms);
  return true;
}

/** True when it has passed the point and died of it. */
async function killAtPoint(process: Supervised, points: readonly string[], random: Random): Promise<boolean> {
  const before = process.exits.length;
  process.arm(random.pick(points), random.whole(1, 6));
  for (const end = Date.now() + POINT_PATIENCE_MS; Date.now() < end && process.exits.length === before;)
    await sleep(20);
  process.disarm();
  return process.exits.length > before;
}
