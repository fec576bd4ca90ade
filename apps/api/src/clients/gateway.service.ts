import type { ByeFrame, CancelFrame, CommandFrame } from '@gwanje/contracts';
import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { Bus } from '../core/events/bus.service';
import type { EventSink } from '../core/http/event-sink';
import { RedisClient } from '../core/queue/queue.module';
import { KEY_PREFIX } from '../core/queue/redis';
import { ClientKeys } from './client-keys';

const HEARTBEAT_MS = 3_000;
/** A gateway silent for this long is dead, and its clients are offline. */
const DEAD_AFTER_SECONDS = 15;
const PRESENCE_SECONDS = 60;

interface Connection {
  id: string;
  keyId: string;
  sink: EventSink;
  /** PostgreSQL knows of it: from then on, another connection there is a newer one. */
  known: boolean;
  /** Attempts written on this connection; a repeated wake-up does not write them again. */
  sent: Map<string, number>;
  /** The same for cancels. */
  cancelled: Map<string, number>;
}

/** Holds the agents' connections of this process, whatever carries them, and keeps their presence. Knows no business. */
@Injectable()
export class GatewayService implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly id = uuid();
  private readonly connections = new Map<string, Connection>();
  private readonly log = new Logger('Gateway');
  private heartbeat?: NodeJS.Timeout;
  private stopping = false;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly bus: Bus,
    private readonly redis: RedisClient,
    private readonly keys: ClientKeys,
  ) {
    bus.on('connected', ({ clientId, connectionId }) => {
      const connection = this.connections.get(clientId);
      if (connection && connection.id !== connectionId) this.close(clientId, connection, 'replaced');
    });
    bus.on('revoked', ({ clientId }) => {
      const connection = this.connections.get(clientId);
      if (connection) void this.closeRevoked([[clientId, connection]]).catch((error: Error) => this.log.warn(`revocation: ${error.message}`));
    });
    bus.on('cancel', ({ clientId, ...frame }) => {
      this.connections.get(clientId)?.sink.send('cancel', frame satisfies CancelFrame);
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.beat();
    this.heartbeat = setInterval(() => {
      this.beat().catch((error: Error) => this.log.warn(`heartbeat: ${error.message}`));
    }, HEARTBEAT_MS);
  }

  /** The ids of the clients whose connections this process holds. */
  get clientIds(): string[] {
    return [...this.connections.keys()];
  }

  /** Takes a new connection; the newest of a client wins, and the older is told. */
  async attach(clientId: string, keyId: string, sink: EventSink): Promise<void> {
    const connection: Connection = { id: uuid(), keyId, sink, known: false, sent: new Map(), cancelled: new Map() };
    if (this.stopping) return this.close(clientId, connection, 'shutdown');
    const older = this.connections.get(clientId);
    if (older) this.close(clientId, older, 'replaced');
    this.connections.set(clientId, connection);
    sink.onClose(() => void this.detach(clientId, connection));
    sink.send('hello', { connectionId: connection.id, clientId });
    try {
      await this.database.query(
        `UPDATE clients SET status = 'online', gateway_id = $2, connection_id = $3, last_seen_at = now() WHERE id = $1`,
        [clientId, this.id, connection.id],
      );
    } catch (error) {
      // Presence that PostgreSQL does not know of would never be served: the agent comes back and tries again.
      sink.end();
      throw error;
    }
    connection.known = true;
    this.tellPresence([clientId], 'online');
    this.bus.publish('connected', { clientId, connectionId: connection.id });
    this.bus.publish('client', { id: clientId });
  }

  /** Writes on the client's connection what was not yet written on it; `outstanding` and `cancels` are all that it should have. */
  deliver(clientId: string, outstanding: CommandFrame[], cancels: CancelFrame[]): void {
    const connection = this.connections.get(clientId);
    if (!connection) return;
    // What the agent cannot take yet is written in a later round.
    const sent = outstanding.filter((frame) => {
      if (connection.sent.get(frame.id) === frame.attempt) return true;
      if (connection.sink.congested) return false;
      connection.sink.send('command', frame, frame.id);
      return true;
    });
    connection.sent = new Map(sent.map(({ id, attempt }) => [id, attempt]));
    for (const frame of cancels) if (connection.cancelled.get(frame.id) !== frame.attempt) connection.sink.send('cancel', frame);
    connection.cancelled = new Map(cancels.map(({ id, attempt }) => [id, attempt]));
  }

  /** Marks the clients of dead gateways offline; any number of processes may do it. */
  async buryDead(): Promise<void> {
    await this.database.query(
      `WITH dead AS (DELETE FROM gateways WHERE seen_at < now() - make_interval(secs => $1) RETURNING id)
       UPDATE clients SET status = 'offline' WHERE status = 'online' AND gateway_id IN (SELECT id FROM dead)`,
      [DEAD_AFTER_SECONDS],
    );
  }

  /** Before the server cuts the connections: the agents hear why, and go to another process. */
  async beforeApplicationShutdown(): Promise<void> {
    this.stopping = true;
    clearInterval(this.heartbeat);
    const clientIds = this.clientIds;
    for (const [clientId, connection] of this.connections) this.close(clientId, connection, 'shutdown');
    this.tellPresence(clientIds, 'offline');
    await this.database
      .query(`WITH gone AS (DELETE FROM gateways WHERE id = $1) UPDATE clients SET status = 'offline' WHERE gateway_id = $1 AND status = 'online'`, [this.id])
      .catch(() => undefined);
  }

  /** Closes those of these connections whose key has ended. */
  private async closeRevoked(connections: [string, Connection][]): Promise<void> {
    if (connections.length === 0) return;
    const ended = new Set(await this.keys.ended(connections.map(([, { keyId }]) => keyId)));
    for (const [clientId, connection] of connections) if (ended.has(connection.keyId)) this.close(clientId, connection, 'revoked');
  }

  /** Closes those whose client has a newer connection in another process, of which no news came. */
  private async closeReplaced(): Promise<void> {
    const known = [...this.connections].filter(([, connection]) => connection.known);
    if (known.length === 0) return;
    const rows = await this.database.query<{ id: string }[]>(
      `SELECT c.id FROM clients c JOIN unnest($1::uuid[], $2::uuid[]) AS m (id, connection_id) ON c.id = m.id WHERE c.connection_id <> m.connection_id`,
      [known.map(([id]) => id), known.map(([, connection]) => connection.id)],
    );
    const replaced = new Set(rows.map(({ id }) => id));
    for (const [clientId, connection] of known) if (replaced.has(clientId)) this.close(clientId, connection, 'replaced');
  }

  private close(clientId: string, connection: Connection, reason: ByeFrame['reason']): void {
    connection.sink.send('bye', { reason } satisfies ByeFrame);
    connection.sink.end();
    if (this.connections.get(clientId) === connection) this.connections.delete(clientId);
  }

  private async detach(clientId: string, connection: Connection): Promise<void> {
    if (this.connections.get(clientId) === connection) this.connections.delete(clientId);
    try {
      const [rows] = await this.database.query<[unknown[], number]>(
        `UPDATE clients SET status = 'offline', last_seen_at = now() WHERE id = $1 AND connection_id = $2 RETURNING id`,
        [clientId, connection.id],
      );
      if (rows.length === 0) return;
      this.tellPresence([clientId], 'offline');
      this.bus.publish('client', { id: clientId });
    } catch (error) {
      this.log.warn(`presence of ${clientId}: ${(error as Error).message}`);
    }
  }

  /** Also mends what an outage left behind: a row that says something else than the connections here, a revocation or a newer connection that was not heard of. */
  private async beat(): Promise<void> {
    await this.database.query('INSERT INTO gateways (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET seen_at = now()', [this.id]);
    await this.database.query(
      `UPDATE clients SET status = 'offline' WHERE gateway_id = $1 AND status = 'online' AND NOT id = ANY($2)`,
      [this.id, this.clientIds],
    );
    await this.closeRevoked([...this.connections]);
    await this.closeReplaced();
    const mine = [...this.connections];
    await this.database.query(
      `UPDATE clients c SET status = 'online' FROM unnest($1::uuid[], $2::uuid[]) AS m (id, connection_id)
       WHERE c.id = m.id AND c.connection_id = m.connection_id AND c.status = 'offline'`,
      [mine.map(([id]) => id), mine.map(([, connection]) => connection.id)],
    );
    this.tellPresence(this.clientIds, 'online');
  }

  /** `control_system:client:<id>:status`, for people who look into Redis; the truth is in PostgreSQL. */
  private tellPresence(clientIds: string[], status: 'online' | 'offline'): void {
    const pipeline = this.redis.pipeline();
    for (const id of clientIds) pipeline.set(`${KEY_PREFIX}client:${id}:status`, status, 'EX', PRESENCE_SECONDS);
    pipeline.exec().catch(() => undefined);
  }
}
