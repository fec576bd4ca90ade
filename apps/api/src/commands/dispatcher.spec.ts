import type { Queue } from 'bull';
import type { HotDatabase } from '../core/database/hot-database';
import type { Bus } from '../core/events/bus.service';
import type { CommandMetrics } from './command-metrics';
import type { CommandStore } from './command-store';
import { Dispatcher } from './dispatcher';
import type { Claimed } from './outstanding';
import { RightOfWay } from './right-of-way';

type Taken = Pick<Claimed, 'clientId' | 'id' | 'priority'>;

describe('Dispatcher', () => {
  const announced: Taken[][] = [];
  const answers: ((rows: [unknown[], Taken[]]) => void)[] = [];
  const hot = { together: () => new Promise((resolve) => answers.push(resolve)) } as unknown as HotDatabase;
  const store = { hold: () => ({}), claim: () => ({}) } as unknown as CommandStore;
  const bus = { publish: () => undefined, tellOthers: () => undefined } as unknown as Bus;
  const metrics = { noteDispatched: () => undefined } as unknown as CommandMetrics;
  const dispatcher = new Dispatcher(store, hot, bus, metrics, new RightOfWay(), {} as Queue<{ clientIds: string[] }>);
  dispatcher.carryBy((claimed) => void announced.push([...claimed]));
  const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('announces what several claims took in one turn together, the most urgent first, and what comes later by itself', async () => {
    const claims = Promise.all([1, 2, 3, 4].map(() => dispatcher.dispatch(['x'])));
    await nextTurn();
    // By chance the second is answered before the first.
    answers[1]?.([[], [{ clientId: 'x', id: 'c', priority: 2 }]]);
    answers[2]?.([[], []]);
    answers[0]?.([[], [{ clientId: 'x', id: 'a', priority: 1 }, { clientId: 'x', id: 'b', priority: 5 }]]);
    await nextTurn();
    await nextTurn();
    answers[3]?.([[], [{ clientId: 'x', id: 'd', priority: 9 }]]);
    await claims;
    expect(announced.map((some) => some.map(({ id }) => id))).toEqual([['b', 'c', 'a'], ['d']]);
  });
});
