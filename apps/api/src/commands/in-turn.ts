/**
 * Work for the same client goes one after the other, in the order in which it was asked for; for different clients it goes side by side,
 * and what fails holds up nobody.
 */
export class InTurn {
  /** Of each client with work, the end of what was asked for last. */
  private readonly ends = new Map<string, Promise<unknown>>();

  async during<T>(clientIds: readonly string[], work: () => Promise<T>): Promise<T> {
    const before = new Set(clientIds.flatMap((id) => this.ends.get(id) ?? []));
    const done = Promise.all(before).then(work);
    const end = done.catch(() => undefined);
    for (const id of clientIds) this.ends.set(id, end);
    try {
      return await done;
    } finally {
      for (const id of clientIds) if (this.ends.get(id) === end) this.ends.delete(id);
    }
  }
}
