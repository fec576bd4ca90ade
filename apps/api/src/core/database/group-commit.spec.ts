import { GroupCommit } from './group-commit';

describe('GroupCommit', () => {
  it('commits at once when it is quiet, and together what arrives meanwhile', async () => {
    const groups: number[][] = [];
    const open: (() => void)[] = [];
    const commits = new GroupCommit<number, number>(async (items) => {
      groups.push(items);
      await new Promise<void>((resolve) => open.push(resolve));
      return items.map((item) => item * 2);
    });
    const results = Promise.all([1, 2].map((item) => commits.add(item)));
    await Promise.resolve();
    await Promise.resolve();
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
