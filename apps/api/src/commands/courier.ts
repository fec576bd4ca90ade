import type { CancelFrame, CommandFrame } from '@gwanje/contracts';
import { commandAttributes, Tracing } from '@gwanje/tracing';
import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { setImmediate as endOfTurn } from 'node:timers/promises';
import { GatewayService } from '../clients/gateway.service';
import { HotDatabase } from '../core/database/hot-database';
import { Bus } from '../core/events/bus.service';
import { Dispatcher } from './dispatcher';
import { type Claimed, type Outstanding, OUTSTANDING } from './outstanding';
import { PayloadSecrets } from './payload-secrets.service';
import { RightOfWay } from './right-of-way';

const CATCH_UP_MS = 2_000;
/** While the news of other processes does not come. */
const DEAF_CATCH_UP_MS = 500;
const IS_OUTSTANDING = `c.phase = 'open' AND (c.status = 'dispatched' OR c.cancel_requested_at IS NOT NULL)`;

interface Parcel {
  frames: CommandFrame[];
  cancels: CancelFrame[];
}
type Stamp = (frame: CommandFrame) => CommandFrame;

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
    this.bus.on('outstanding', ({ clientIds, urgent = false }) => this.carry(() => this.deliver(clientIds), urgent));
    this.dispatcher.carryBy((claimed, urgent) => this.carry(() => this.handOver(claimed), urgent));
    this.bus.on('connected', ({ clientId }) => {
      if (!this.gateway.holds(clientId)) return;
      void this.deliver([clientId]).then(() => this.dispatcher.wake([clientId]).catch((error: Error) => this.log.warn(error.message)));
    });
    let lookedAt = performance.now();
    this.timer = setInterval(() => {
      if (this.bus.listeningForMs > 0 && performance.now() - lookedAt < CATCH_UP_MS) return;
      lookedAt = performance.now();
      this.lookAtAll = true;
      void this.deliver([]);
    }, DEAF_CATCH_UP_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private carry(work: () => Promise<void>, urgent: boolean): void {
    const carried = urgent ? this.rightOfWay.during(work) : work();
    carried.catch((error: Error) => this.log.warn(`not delivered, tried again soon: ${error.message}`));
  }

  /** What was claimed here is known, and not read again; unless a look is under way, which may not have seen it. */
  private async handOver(claimed: readonly Claimed[]): Promise<void> {
    if (this.delivery) return this.deliver(claimed.map(({ clientId }) => clientId));
    const held = claimed.filter(({ clientId }) => this.gateway.holds(clientId));
    this.write(new Set(held.map(({ clientId }) => clientId)), held, (clientId, { frames }, stamp) => this.gateway.add(clientId, frames, stamp));
  }

  /** One look at PostgreSQL at a time, so that an older look never overtakes a newer one; what comes meanwhile waits. */
  private async deliver(clientIds: string[]): Promise<void> {
    for (const id of clientIds) if (this.gateway.holds(id)) this.due.add(id);
    this.delivery ??= this.deliverDue().finally(() => (this.delivery = undefined));
    await this.delivery;
  }

  private async deliverDue(): Promise<void> {
    while (this.due.size > 0 || this.lookAtAll) {
      // Those that arrived in one turn of the event loop are looked for together.
      await endOfTurn();
      const everybody = this.lookAtAll;
      const clientIds = everybody ? this.gateway.occupied : [...this.due];
      this.lookAtAll = false;
      this.due.clear();
      try {
        const rows = everybody ? await this.lookForAll() : await this.lookFor(clientIds);
        this.write(new Set(clientIds), rows, (clientId, { frames, cancels }, stamp) => this.gateway.deliver(clientId, frames, cancels, stamp));
      } catch (error) {
        this.log.warn(`not delivered, tried again soon: ${(error as Error).message}`);
      }
    }
  }

  private write(clientIds: ReadonlySet<string>, rows: readonly Outstanding[], put: (clientId: string, parcel: Parcel, stamp: Stamp) => void): void {
    // kill point: courier.before-write
    const byClient = new Map([...clientIds].map((id): [string, Parcel] => [id, { frames: [], cancels: [] }]));
    const claims = new Map<CommandFrame, number>();
    for (const row of rows) {
      const parcel = byClient.get(row.clientId) ?? { frames: [], cancels: [] };
      byClient.set(row.clientId, parcel);
      const frame = row.running ? null : this.frameOf(row);
      if (row.running) parcel.cancels.push({ id: row.id, attempt: row.attempt, reason: 'cancelled' });
      else if (frame) parcel.frames.push(frame);
      if (frame?.traceparent) claims.set(frame, row.claimedAt ?? Date.now());
    }
    for (const [clientId, parcel] of byClient) put(clientId, parcel, (frame) => this.noteSent(frame, clientId, claims.get(frame)));
    // kill point: courier.after-write
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
