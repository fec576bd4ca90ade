import { createServer, type AddressInfo, type Socket } from 'node:net';
import { answer } from '../processes/child';
import { Fleet } from './fleet';
import type { FleetSettings, Life, Tally } from './terms';

let fleet: Fleet | undefined;
const followers = new Set<Socket>();
let news: string[] = [];

/** Ids of what was settled, to whoever is connected: all of one turn in one write. */
function tell(id: string): void {
  if (followers.size === 0) return;
  if (news.push(id) > 1) return;
  setImmediate(() => {
    const text = `${news.join('\n')}\n`;
    news = [];
    for (const follower of followers) follower.write(text);
  });
}

const feed = createServer((socket) => {
  followers.add(socket.setNoDelay(true));
  socket.on('error', () => undefined).on('close', () => followers.delete(socket));
});

function current(): Fleet {
  if (!fleet) throw new Error('there is no fleet');
  return fleet;
}

const methods = {
  /** Makes a fleet in the place of the one before; answers the port of the feed of settled ids. */
  prepare: async (settings: FleetSettings): Promise<number> => {
    fleet?.close();
    fleet = new Fleet(settings);
    fleet.onSettled = tell;
    if (!feed.listening) await new Promise<void>((resolve) => feed.listen(0, '127.0.0.1', resolve));
    return (feed.address() as AddressInfo).port;
  },
  connect: (atOnce: number): Promise<number> => current().connect(atOnce),
  cut: ({ forGood }: { forGood: boolean }): void => fleet?.cut(forGood),
  tally: (_: null): Tally => current().tally,
  lives: (_: null): Life[] => current().takeLives(),
};
export type SimulatorMethods = typeof methods;

answer(methods);
