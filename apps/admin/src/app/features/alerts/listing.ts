import { signal } from '@angular/core';
import { type Problem, toProblem } from '../../core/http/problem';
import type { Listed } from './alerts-api';

/** A list that is read page by page; the answer to an earlier question is dropped. */
export class Listing<T> {
  readonly items = signal<readonly T[]>([]);
  readonly nextCursor = signal<string | null>(null);
  readonly loading = signal<'first' | 'more' | null>(null);
  readonly problem = signal<Problem | null>(null);
  private question = 0;
  private isPaged = false;

  constructor(private readonly ask: (cursor: string | null) => Promise<Listed<T>>) {}

  /** From the beginning; what is shown stays until the answer is there. */
  load(): Promise<void> {
    this.question++;
    return this.read('first');
  }

  /** The same, unless somebody reads on further down, or an answer is awaited. */
  async refresh(): Promise<void> {
    if (!this.isPaged && this.loading() === null) await this.load();
  }

  more(): Promise<void> {
    return this.loading() === null ? this.read('more') : Promise.resolve();
  }

  private async read(which: 'first' | 'more'): Promise<void> {
    const { question } = this;
    this.loading.set(which);
    this.problem.set(null);
    try {
      const { items, nextCursor } = await this.ask(which === 'more' ? this.nextCursor() : null);
      if (question !== this.question) return;
      this.items.update((shown) => (which === 'more' ? [...shown, ...items] : items));
      this.nextCursor.set(nextCursor);
      this.isPaged = which === 'more';
    } catch (error) {
      if (question !== this.question) return;
      this.problem.set(toProblem(error));
    }
    this.loading.set(null);
  }
}
