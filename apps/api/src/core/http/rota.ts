const TURN_MS = 100;

interface Member {
  beat(): void;
}

/**
 * Calls each member once in every period, many of them in one turn: thousands of timers, one for each connection, would wake the process
 * as often, and each time for as little.
 */
export class Rota {
  private readonly turns: Set<Member>[];
  private members = 0;
  private timer?: NodeJS.Timeout | undefined;
  private startedAt = 0;
  private done = 0;

  constructor(periodMs: number) {
    this.turns = Array.from({ length: Math.floor(periodMs / TURN_MS) }, () => new Set());
  }

  /** It is called first within a period. */
  join(member: Member): void {
    const turn = this.turns.reduce((least, one) => (one.size < least.size ? one : least));
    turn.add(member);
    if (++this.members === 1) this.start();
  }

  leave(member: Member): void {
    if (this.turns.some((turn) => turn.delete(member)) && --this.members === 0) clearInterval(this.timer);
  }

  private start(): void {
    this.startedAt = performance.now();
    this.done = 0;
    this.timer = setInterval(() => this.takeTurns(), TURN_MS);
  }

  /** Those that are due by the clock, however late the timer is; after a long sleep, each once. */
  private takeTurns(): void {
    const due = Math.floor((performance.now() - this.startedAt) / TURN_MS);
    for (this.done = Math.max(this.done, due - this.turns.length); this.done < due; this.done++) {
      for (const member of this.turns[this.done % this.turns.length] ?? []) member.beat();
    }
  }
}
