import { InjectQueue, Process, Processor } from '@nestjs/bull';
import { Injectable } from '@nestjs/common';
import type { Job, Queue } from 'bull';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { Bus } from '../core/events/bus.service';
import { CommandMetrics } from './command-metrics';
import { CommandStore } from './command-store';
import type { Claimed } from './outstanding';
import { RightOfWay } from './right-of-way';

export const DISPATCH_QUEUE = 'dispatch';
const QUEUE_PATIENCE_MS = 1_000;
/** A claim holds its clients' locks until its end: many short ones let others in between. */
const CLIENTS_AT_ONCE = 200;

/** Takes what this process has claimed; `urgent` is an emergency. */
type Carrier = (claimed: readonly Claimed[], urgent: boolean) => void;

/** Puts clients with due work on the queue `dispatch`, claims for them, and tells the gateways. Safe to repeat at every step. */
@Injectable()
export class Dispatcher {
  private readonly looks = new GroupCommit<readonly string[], void>((groups) => this.look(groups));
  /** Claimed in this turn of the event loop, and not announced yet. */
  private readonly fresh: Claimed[] = [];
  private readonly carriers: Carrier[] = [];

  constructor(
    private readonly store: CommandStore,
    private readonly hot: HotDatabase,
    private readonly bus: Bus,
    private readonly metrics: CommandMetrics,
    private readonly rightOfWay: RightOfWay,
    @InjectQueue(DISPATCH_QUEUE) private readonly queue: Queue<{ clientIds: string[] }>,
  ) {}

  /** To be called after the commit that made work or a slot. Never waits for a Redis that is away: then the claim is done here. */
  async wake(clientIds: readonly string[]): Promise<void> {
    if (clientIds.length > 0) await this.looks.add(clientIds);
  }

  async dispatch(clientIds: string[]): Promise<void> {
    for (let from = 0; from < clientIds.length; from += CLIENTS_AT_ONCE) {
      await this.rightOfWay.clear();
      const some = clientIds.slice(from, from + CLIENTS_AT_ONCE);
      await this.claim(some);
    }
  }

  /** Tells the gateways, after the commit, that these wait for their streams: the one in this process at once. */
  announce(claimed: readonly Claimed[], urgent = false): void {
    this.metrics.noteDispatched(claimed);
    if (claimed.length === 0) return;
    for (const carry of this.carriers) carry(claimed, urgent);
    this.bus.tellOthers('outstanding', { clientIds: [...new Set(claimed.map(({ clientId }) => clientId))], urgent });
  }

  /** From now on, what is claimed here is given to `carrier`. */
  carryBy(carrier: Carrier): void {
    this.carriers.push(carrier);
  }

  private async claim(clientIds: readonly string[]): Promise<void> {
    // kill point: dispatch.before-claim
    const [, claimed] = await this.hot.together([this.store.hold(clientIds), this.store.claim(clientIds)]);
    // kill point: dispatch.after-commit
    this.fresh.push(...claimed);
    if (claimed.length === 0 || this.fresh.length > claimed.length) return;
    // Another claim for the same client may be answered in this turn as well, whichever was first: their commands go by urgency all the same.
    await endOfTurn();
    const together = this.fresh.splice(0).sort((a, b) => b.priority - a.priority || (a.id < b.id ? -1 : 1));
    this.announce(together);
    this.bus.publish('commands', { ids: together.map(({ id }) => id) });
    // kill point: dispatch.after-publish
  }

  private async look(groups: (readonly string[])[]): Promise<void[]> {
    const starving = await this.store.starving([...new Set(groups.flat())], this.hot);
    if (starving.length > 0) void this.hand(starving).catch(() => undefined /* the sweeper finds them */);
    return groups.map(() => undefined);
  }

  private async hand(clientIds: string[]): Promise<void> {
    // kill point: queue.before-add
    const queued = this.queue.client.status === 'ready' && (await Promise.race([this.enqueue(clientIds), after(QUEUE_PATIENCE_MS)]));
    // kill point: queue.after-add
    if (!queued) await this.dispatch(clientIds);
  }

  private enqueue(clientIds: string[]): Promise<boolean> {
    return this.queue.add({ clientIds }).then(
      () => true,
      () => false,
    );
  }
}

const after = (ms: number): Promise<false> => new Promise((resolve) => setTimeout(() => resolve(false), ms).unref());

@Processor(DISPATCH_QUEUE)
export class DispatchProcessor {
  constructor(private readonly dispatcher: Dispatcher) {}

  @Process({ concurrency: 4 })
  async process(job: Job<{ clientIds: string[] }>): Promise<void> {
    // kill point: queue.job-taken
    await this.dispatcher.dispatch(job.data.clientIds);
  }
}
