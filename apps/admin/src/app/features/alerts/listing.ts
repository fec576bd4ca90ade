import { signal } from '@angular/core';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Listed } from './alerts-api';

/** A list, newest first, that is read page by page and kept up with the news; the answer to an earlier question is dropped. */
export class Listing<T extends { id: string }> {
  readonly items = signal<readonly T[]>([]);
  readonly nextCursor = signal<string | null>(null);
  readonly loading = signal<'first' | 'more' | null>(null);
  readonly problem = signal<Problem | null>(null);
  private question = 0;
  /** What was heard while an answer was awaited, which may be older. */
  private heard: { item: T; belongs: boolean }[] = [];

  constructor(private readonly ask: (cursor: string | null) => Promise<Listed<T>>) {}

  /** From the beginning; what is shown stays until the answer is there. */
  load(): Promise<void> {
    this.question++;
    return this.read('first');
  }

  /** One of them as it is now, new or changed; `belongs` says whether it is among what was asked for. */
  note(item: T, belongs: boolean): void {
    if (this.loading() !== null) this.heard.push({ item, belongs });
    this.place(item, belongs);
  }

  more(): Promise<void> {
    return this.loading() === null ? this.read('more') : Promise.resolve();
  }

  private async read(which: 'first' | 'more'): Promise<void> {
    const { question } = this;
    this.loading.set(which);
    this.heard = [];
    this.problem.set(null);
    try {
      const { items, nextCursor } = await this.ask(which === 'more' ? this.nextCursor() : null);
      if (question !== this.question) return;
      this.items.update((shown) => (which === 'more' ? [...shown, ...items] : items));
      this.nextCursor.set(nextCursor);
      for (const { item, belongs } of this.heard) this.place(item, belongs);
    } catch (error) {
      if (question !== this.question) return;
      this.problem.set(toProblem(error));
    }
    this.loading.set(null);
  }

  /** What is older than all that is shown comes with its page. */
  private place(item: T, belongs: boolean): void {
    this.items.update((shown) => {
      const known = shown.findIndex(({ id }) => id === item.id);
      if (belongs && known >= 0) return shown.with(known, item);
      const others = shown.filter(({ id }) => id !== item.id);
      const at = others.findIndex(({ id }) => id < item.id);
      if (!belongs || (at < 0 && this.nextCursor() !== null)) return others;
      return others.toSpliced(at < 0 ? others.length : at, 0, item);
    });
  }
}
