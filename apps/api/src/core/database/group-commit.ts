import { setImmediate as endOfTurn } from 'node:timers/promises';
import { isAway } from './away';

interface Waiting<T, R> {
  item: T;
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
}

const MOST_AT_ONCE = 200;

/**
 * Gathers what arrives in one turn of the event loop, and while a commit is under way, into the next one: one transaction, and a handful
 * of statements, for all of it. When it is quiet nothing waits. A group that fails is tried again by halves, so that nobody fails for
 * another's fault; unless the database is away: then nobody knows what was written, and each caller is told.
 */
export class GroupCommit<T, R> {
  private readonly waiting: Waiting<T, R>[] = [];
  private committing = false;

  /** `commit` writes all items in one transaction, or nothing, and answers for each in order; no group is begun before `mayBegin`. */
  constructor(
    private readonly commit: (items: T[]) => Promise<R[]>,
    private readonly mayBegin: () => Promise<void> = () => Promise.resolve(),
  ) {}

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject });
      if (!this.committing) void this.run();
    });
  }

  private async run(): Promise<void> {
    this.committing = true;
    while (this.waiting.length > 0) {
      // What came on all connections that were readable at once goes together: each of them is a callback of its own within the turn.
      await endOfTurn();
      await this.mayBegin();
      await this.commitGroup(this.waiting.splice(0, MOST_AT_ONCE));
    }
    this.committing = false;
  }

  private async commitGroup(group: Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.commit(group.map(({ item }) => item));
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as R);
    } catch (error) {
      const half = group.length >> 1;
      if (half === 0 || isAway(error)) for (const { reject } of group) reject(error);
      else for (const part of [group.slice(0, half), group.slice(half)]) await this.commitGroup(part);
    }
  }
}
