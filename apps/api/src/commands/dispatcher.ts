import type { CancelFrame, CommandFrame } from '@gwanje/contracts';
import { commandAttributes, Tracing } from '@gwanje/tracing';
import { InjectQueue, Process, Processor } from '@nestjs/bull';
import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import type { Job, Queue } from 'bull';
import { GatewayService } from '../clients/gateway.service';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { Bus } from '../core/events/bus.service';
import { CommandMetrics } from './command-metrics';
import { type Claimed, CommandStore } from './command-store';
import { PayloadSecrets, STORED_PAYLOAD, type StoredPayload } from './payload-secrets.service';
import { RightOfWay } from './right-of-way';

export const DISPATCH_QUEUE = 'dispatch';
const QUEUE_PATIENCE_MS = 1_000;
/** A claim holds its clients' locks until its end: many short ones let others in between. */
const CLIENTS_AT_ONCE = 200;

/** Puts clients with due work on the queue `dispatch`, claims for them, and tells the gateways. Safe to repeat at every step. */
@Injectable()
export class Dispatcher {
  private readonly looks = new GroupCommit<readonly string[], void>((groups) => this.look(groups));

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
      const claimed = await this.hot.transaction(async (transaction) => {
        const held = await this.store.holdOnline(clientIds.slice(from, from + CLIENTS_AT_ONCE), transaction);
        // kill point: dispatch.before-claim
        return held.length > 0 ? this.store.claim(held, transaction) : [];
      });
      // kill point: dispatch.after-commit
      this.announce(claimed);
      if (claimed.length > 0) this.bus.publish('commands', { ids: claimed.map(({ id }) => id) });
      // kill point: dispatch.after-publish
    }
  }

  /** Tells the gateways, after the commit, that these wait for their streams. */
  announce(claimed: readonly Claimed[], urgent = false): void {
    this.metrics.noteDispatched(claimed);
    if (claimed.length > 0) this.bus.publish('outstanding', { clientIds: [...new Set(claimed.map(({ clientId }) => clientId))], urgent });
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

const CATCH_UP_MS = 2_000;

interface Outstanding extends Omit<CommandFrame, 'payload' | 'traceparent'>, StoredPayload {
  clientId: string;
  /** It runs, and is to be cancelled. */
  running: boolean;
  traceparent: string | null;
  /** Of a command with a trace: when it was claimed, in milliseconds since 1970. */
  claimedAt: number | null;
}

const OUTSTANDING = `c.client_id AS "clientId", c.status = 'running' AS running, ${STORED_PAYLOAD}, c.action, c.priority, c.attempt,
  c.timeout_ms AS "timeoutMs", c.traceparent, CASE WHEN c.traceparent IS NOT NULL THEN extract(epoch FROM c.dispatched_at)::float8 * 1000 END AS "claimedAt"`;
const IS_OUTSTANDING = `c.status IN ('dispatched', 'running') AND (c.status = 'dispatched' OR c.cancel_requested_at IS NOT NULL)`;

/** Brings what is dispatched in PostgreSQL, and what is to be cancelled, to the streams of this process: on news, on a new stream, and every so often. */
@Injectable()
export class Courier implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('Courier');
  private readonly due = new Set<string>();
  private delivery?: Promise<void>;
  private timer?: NodeJS.Timeout;
  private lookAtAll = false;

  constructor(
    private readonly hot: HotDatabase,
    private readonly gateway: GatewayService,
    private readonly secrets: PayloadSecrets,
    private readonly dispatcher: Dispatcher,
    private readonly bus: Bus,
    private readonly tracing: Tracing,
    private readonly rightOfWay: RightOfWay,
  ) {}

  onApplicationBootstrap(): void {
    this.bus.on('outstanding', ({ clientIds, urgent }) => {
      const deliver = (): Promise<void> => this.deliver(clientIds);
      void (urgent ? this.rightOfWay.during(deliver) : deliver());
    });
    this.bus.on('connected', ({ clientId }) => {
      if (!this.gateway.holds(clientId)) return;
      void this.deliver([clientId]).then(() => this.dispatcher.wake([clientId]).catch((error: Error) => this.log.warn(error.message)));
    });
    this.timer = setInterval(() => {
      this.lookAtAll = true;
      void this.deliver([]);
    }, CATCH_UP_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** One look at PostgreSQL at a time, so that an older look never overtakes a newer one; what comes meanwhile waits. */
  private async deliver(clientIds: string[]): Promise<void> {
    for (const id of clientIds) if (this.gateway.holds(id)) this.due.add(id);
    this.delivery ??= this.deliverDue().finally(() => (this.delivery = undefined));
    await this.delivery;
  }

  private async deliverDue(): Promise<void> {
    while (this.due.size > 0 || this.lookAtAll) {
      const everybody = this.lookAtAll;
      const clientIds = everybody ? this.gateway.occupied : [...this.due];
      this.lookAtAll = false;
      this.due.clear();
      try {
        const rows = everybody ? await this.lookForAll() : await this.lookFor(clientIds);
        // kill point: courier.before-write
        const byClient = new Map(clientIds.map((id) => [id, { frames: [] as CommandFrame[], cancels: [] as CancelFrame[] }]));
        const claims = new Map<CommandFrame, number>();
        for (const row of rows) {
          const parcel = byClient.get(row.clientId) ?? { frames: [], cancels: [] };
          byClient.set(row.clientId, parcel);
          const frame = row.running ? null : this.frameOf(row);
          if (row.running) parcel.cancels.push({ id: row.id, attempt: row.attempt, reason: 'cancelled' });
          else if (frame) parcel.frames.push(frame);
          if (frame?.traceparent) claims.set(frame, row.claimedAt ?? Date.now());
        }
        for (const [clientId, { frames, cancels }] of byClient) {
          this.gateway.deliver(clientId, frames, cancels, (frame) => this.noteSent(frame, clientId, claims.get(frame)));
        }
        // kill point: courier.after-write
      } catch (error) {
        this.log.warn(`not delivered, tried again soon: ${(error as Error).message}`);
      }
    }
  }

  /** With its secrets; null, and it waits for a process that has the key, when they cannot be opened here. */
  private frameOf(row: Outstanding): CommandFrame | null {
    const payload = this.secrets.open(row);
    const { id, action, priority, attempt, timeoutMs, traceparent } = row;
    if (!payload) this.log.error(`command ${id} waits: its secrets are sealed under a key that is not here`);
    return payload && { id, action, payload, priority, attempt, timeoutMs, ...(traceparent !== null && { traceparent }) };
  }

  /** A span from the claim until it is written on the stream, which the agent continues. */
  private noteSent(frame: CommandFrame, clientId: string, claimedAt: number | undefined): CommandFrame {
    if (!frame.traceparent || !this.tracing.isOn) return frame;
    const attributes = { ...commandAttributes({ ...frame, clientId }), 'messaging.operation.name': 'send', 'messaging.operation.type': 'send' };
    // The clock is PostgreSQL's, and may be ahead of this one.
    const startedAt = claimedAt && Math.min(claimedAt, Date.now());
    const span = this.tracing.follow({ name: 'send commands', kind: 'producer', parent: frame.traceparent, attributes, startedAt });
    span.end();
    return { ...frame, traceparent: span.traceparent };
  }

  private lookFor(clientIds: string[]): Promise<Outstanding[]> {
    return this.hot.query(`SELECT ${OUTSTANDING} FROM commands c WHERE c.client_id = ANY($1) AND ${IS_OUTSTANDING} ORDER BY c.priority DESC, c.id`, [clientIds]);
  }

  /** Among what is in flight, and not client by client: most of them have nothing. */
  private lookForAll(): Promise<Outstanding[]> {
    return this.hot.query(
      `SELECT ${OUTSTANDING} FROM commands c JOIN clients ON clients.id = c.client_id WHERE clients.gateway_id = $1 AND ${IS_OUTSTANDING} ORDER BY c.priority DESC, c.id`,
      [this.gateway.id],
    );
  }
}
