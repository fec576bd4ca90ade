import { signal } from '@angular/core';
import type { FormGroup } from '@angular/forms';
import { type Problem, toProblem } from '../core/http/problem';
import { showFaults, within } from './server-faults';

/** What a page asks of the server, one thing at a time: whether it is under way, and what went wrong with the last. */
export class Attempt {
  readonly busy = signal(false);
  readonly problem = signal<Problem | null>(null);

  /**
   * Whether it succeeded; false also while an earlier one is under way. Faults go to the fields of `form`, which keeps what was typed,
   * also those within `part` of the body.
   */
  async run(act: () => Promise<void>, form?: FormGroup, part = /^/): Promise<boolean> {
    if (this.busy()) return false;
    this.busy.set(true);
    this.problem.set(null);
    try {
      await act();
      return true;
    } catch (error) {
      const problem = within(part, toProblem(error));
      this.problem.set(form ? showFaults(form, problem) : problem);
      return false;
    } finally {
      this.busy.set(false);
    }
  }
}
