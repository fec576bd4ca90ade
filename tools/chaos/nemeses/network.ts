import type { HttpFaults, HttpLink } from '../network/http-link';
import type { TcpLink } from '../network/tcp-link';
import type { Random } from '../random';
import type { World } from '../world';
import { during, type Nemesis } from './nemesis';

type Act = (link: TcpLink, random: Random) => Promise<void>;

/** What happens to the bytes on a line. */
const ACTS = {
  'connection reset': async (link) => link.reset(),
  'line cut for a while': async (link, random) => {
    link.cut();
    await during(random.whole(200, 4_000), () => link.mend());
  },
  'black hole': async (link, random) => {
    link.blackHole();
    await during(random.whole(500, 6_000), () => link.mend());
  },
  'half-open connections': async (link) => link.halfOpen(),
  'slow and lossy line': async (link, random) => {
    link.slow(random);
    await during(random.whole(1_000, 4_000), () => link.mend());
  },
} satisfies Record<string, Act>;

const allLines = ({ postgresLink, redisLink, agents }: World): TcpLink[] => [
  postgresLink,
  redisLink,
  ...agents.map(({ link }) => link),
];

/** Faults of the bytes on a line, and of the requests that agents and clients make. */
export const NETWORK_NEMESES: readonly Nemesis[] = [
  onLine('connection reset', 4),
  onLine('line cut for a while', 2),
  onLine('black hole', 3),
  onLine('half-open connections', 2),
  onLine('slow and lossy line', 2),
  onRequests('duplicated requests', 2, { duplicate: 0.5 }),
  onRequests('reordered requests', 2, { reorder: 0.3 }),
  onRequests('requests done whose answers are lost', 3, { loseAnswer: 0.3 }),
  onRequests('old requests that come again', 2, { replay: 0.3 }),
];

function onLine(name: keyof typeof ACTS, weight: number, lines = allLines): Nemesis {
  const act: Act = ACTS[name];
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
export const onPostgresLine = (name: keyof typeof ACTS): Nemesis => ({
  ...onLine(name, 1, ({ postgresLink }) => [postgresLink]),
  name: `${name} to PostgreSQL`,
});

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
