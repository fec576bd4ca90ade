import { type CommandFrame, EMERGENCY_PRIORITY } from '@gwanje/contracts';

interface Waiting {
  frame: CommandFrame;
  /** Milliseconds since 1970. */
  since: number;
}

/** Owns which waiting command runs next; it must never give the reserved slot to anything but an emergency. */
export class CommandQueue {
  private readonly waiting: Waiting[] = [];

  constructor(private readonly concurrency: number) {}

  /** Behind its equals, before everything lower. */
  add(frame: CommandFrame): void {
    const at = this.waiting.findIndex((other) => other.frame.priority < frame.priority);
    this.waiting.splice(at < 0 ? this.waiting.length : at, 0, { frame, since: Date.now() });
  }

  has(id: string): boolean {
    return this.waiting.some(({ frame }) => frame.id === id);
  }

  remove(id: string): void {
    const at = this.waiting.findIndex(({ frame }) => frame.id === id);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  takeNext(busy: number, emergenciesOnly = false): Waiting | undefined {
    const first = this.waiting[0];
    if (!first || (emergenciesOnly && first.frame.priority < EMERGENCY_PRIORITY)) return undefined;
    const slots = this.concurrency + (first.frame.priority >= EMERGENCY_PRIORITY ? 1 : 0);
    return busy < slots ? this.waiting.shift() : undefined;
  }
}
