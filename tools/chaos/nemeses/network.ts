import type { HttpFaults, HttpLink } from '../network/http-link';
import type { TcpLink } from '../network/tcp-link';
import type { Random } from '../random';
import type { World } from '../world';
import { during, type Nemesis } from './nemesis';

/** Faults of the bytes on a line, and of the requests that agents and clients make. */
export const NETWORK_NEMESES: readonly Nemesis[] = [
  onLine('connection reset', 4, async (link) => link.reset()),
  onLine('line cut for a while', 2, async (link, random) => {
    link.cut();
    await during(random.whole(200, 4_000), () => link.mend());
  }),
  onLine('black hole', 3, async (link, random) => {
    link.blackHole();
    await during(random.whole(500, 6_000), () => link.mend());
  }),
  onLine('half-open connections', 2, async (link) => link.halfOpen()),
  onLine('slow and lossy line', 2, async (link, random) => {
    link.slow(random);
    await during(random.whole(1_000, 4_000), () => link.mend());
  }),
  onRequests('duplicated requests', 2, { duplicate: 0.5 }),
  onRequests('reordered requests', 2, { reorder: 0.3 }),
  onRequests('requests done whose answers are lost', 3, { loseAnswer: 0.3 }),
  onRequests('old requests that come again', 2, { replay: 0.3 }),
];

function onLine(name: string, weight: number, act: (link: TcpLink, random: Random) => Promise<void>): Nemesis {
  const lines = ({ postgresLink, redisLink, agents }: World): TcpLink[] => [
    postgresLink,
    redisLink,
    ...agents.map(({ link }) => link),
  ];
  return {
    name,
    weight,
    lane: 'network',
    strike: async (world: World, random: Random): Promise<boolean> => {
      const link = random.pick(lines(world));
      const before = link.disturbed;
      await act(link, random);
      return link.disturbed > before;
    },
  };
}

/** One of those above, on the line to PostgreSQL only. */
export function onPostgresLine(name: 'half-open connections' | 'connection reset'): Nemesis {
  const strike = async ({ postgresLink }: World): Promise<boolean> => {
    const before = postgresLink.disturbed;
    if (name === 'connection reset') postgresLink.reset();
    else postgresLink.halfOpen();
    return postgresLink.disturbed > before;
  };
  return { name: `${name} to PostgreSQL`, weight: 1, lane: 'network', strike };
}

function onRequests(name: string, weight: number, faults: HttpFaults): Nemesis {
  const links = ({ agentsLink, clientsLink }: World): HttpLink[] => [agentsLink, agentsLink, clientsLink];
  return {
    name,
    weight,
    lane: 'requests',
    strike: async (world: World, random: Random): Promise<boolean> => {
      const link = random.pick(links(world));
      const before = link.disturbed;
      link.faults = faults;
      await during(random.whole(500, 3_000), () => link.mend());
      return link.disturbed > before;
    },
  };
}
