import type { AuditOutcome } from '@gwanje/contracts';
import type { Actor, ProvenPerson } from '../core/access/access';
import { networkOf } from '../core/access/network';

/** Rows a round: for one action from one network, and for all of them together. */
const MOST_OF_ONE = 30;
const MOST_OF_ALL = 300;

/** As much of an entry as decides whether it is bounded. */
interface Attempt {
  by: Actor | ProvenPerson;
  action: string;
  target: { type: string; id: string | null };
  outcome: AuditOutcome;
}

interface Tally {
  action: string;
  /** Null for those of all networks for which there was no room any more. */
  network: string | null;
  admitted: number;
  leftOut: number;
}

/**
 * Bounds what callers whom nobody knows can add to the record by being refused, in this process and from one round to the next. It
 * counts what it leaves out, and never stands in the way of anything about somebody or something known.
 */
export class StrangerGate {
  private tallies = new Map<string, Tally>();
  private admitted = 0;

  /** Whether the row is to be written. */
  admits({ by, action, target, outcome }: Attempt): boolean {
    if (by.type !== 'anonymous' || outcome !== 'refused' || (target.id !== null && target.type !== 'route')) return true;
    const tally = this.tally(action, networkOf(by.origin.address));
    if (tally.network === null || tally.admitted === MOST_OF_ONE || this.admitted === MOST_OF_ALL) {
      tally.leftOut++;
      return false;
    }
    tally.admitted++;
    this.admitted++;
    return true;
  }

  /** Begins the next round, and answers what the last one left out. */
  turn(): { action: string; network: string | null; leftOut: number }[] {
    const leftOut = [...this.tallies.values()].filter((tally) => tally.leftOut > 0);
    this.tallies = new Map();
    this.admitted = 0;
    return leftOut.map(({ action, network, leftOut }) => ({ action, network, leftOut }));
  }

  private tally(action: string, from: string): Tally {
    const known = this.tallies.get(`${action} ${from}`);
    if (known) return known;
    const network = this.admitted < MOST_OF_ALL ? from : null;
    const key = `${action} ${network ?? 'others'}`;
    const tally = this.tallies.get(key) ?? { action, network, admitted: 0, leftOut: 0 };
    this.tallies.set(key, tally);
    return tally;
  }
}
