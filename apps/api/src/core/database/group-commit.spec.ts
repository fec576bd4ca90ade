import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { GroupCommit } from './group-commit';

/** The two ends of a connection. */
async function connected(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [near] = await accepted;
  server.close();
  return { near, far };
}

describe('GroupCommit', () => {
  it('commits together what came on several connections that were readable at once', async () => {
    const groups: number[][] = [];
    const commits = new GroupCommit<number, number>((items) => Promise.resolve((groups.push(items), items)));
    const pairs = await Promise.all([1, 2, 3].map(connected));
    try {
      const answers = pairs.map(({ near }, index) => once(near, 'data').then(() => commits.add(index)));
      for (const { far } of pairs) far.write('x');
      // Until all three are readable, this process looks at none of them.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      expect(await Promise.all(answers)).toEqual([0, 1, 2]);
      expect(groups).toHaveLength(1);
    } finally {
      for (const { near, far } of pairs) for (const socket of [near, far]) socket.destroy();
    }
  });

  it('commits at once when it is quiet, and together what arrives meanwhile', async () => {
    const groups: number[][] = [];
    const open: (() => void)[] = [];
    const commits = new GroupCommit<number, number>(async (items) => {
      groups.push(items);
      await new Promise<void>((resolve) => open.push(resolve));
      return items.map((item) => item * 2);
    });
    const results = Promise.all([1, 2].map((item) => commits.add(item)));
    while (open.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const later = Promise.all([3, 4, 5].map((item) => commits.add(item)));
    open.shift()?.();
    expect(await results).toEqual([2, 4]);
    while (open.length === 0) await new Promise((resolve) => setImmediate(resolve));
    open.shift()?.();
    expect(await later).toEqual([6, 8, 10]);
    expect(groups).toEqual([[1, 2], [3, 4, 5]]);
  });

  it('lets an item fail alone, though it undoes the whole group', async () => {
    const groups: string[][] = [];
    const commits = new GroupCommit<string, string>((items) => {
      groups.push(items);
      return items.includes('poison') ? Promise.reject(new Error(`${items.length} failed`)) : Promise.resolve(items);
    });
    const settled = await Promise.allSettled(['a', 'poison', 'b', 'c', 'd'].map((item) => commits.add(item)));
    expect(settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message))).toEqual(['a', '1 failed', 'b', 'c', 'd']);
    expect(groups.filter((group) => !group.includes('poison'))).toEqual([['a'], ['b', 'c', 'd']]);
  });

  it('asks once, and tells everybody, where nobody knows what was written', async () => {
    const groups: string[][] = [];
    const commits = new GroupCommit<string, string>((items) => {
      groups.push(items);
      return Promise.reject(new Error('Connection terminated unexpectedly'));
    });
    const settled = await Promise.allSettled(['a', 'b', 'c'].map((item) => commits.add(item)));
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(groups).toEqual([['a', 'b', 'c']]);
  });
});
