import type { ByeFrame, CancelFrame, CommandFrame } from '@gwanje/contracts';
import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { Bus } from '../core/events/bus.service';
import type { EventStream } from '../core/http/sse';
import { RedisClient } from '../core/queue/queue.module';
import { KEY_PREFIX } from '../core/queue/redis';
import { ClientKeysService } from './client-keys.service';

const HEARTBEAT_MS = 3_000;
/** A gateway silent for this long is dead, and its clients are offline. */
const DEAD_AFTER_SECONDS = 15;
const PRESENCE_SECONDS = 60;

interface Connection {
  id: string;
  keyId: string;
  stream: EventStream;
  /** Attempts written on this stream; a repeated wake-up does not write them again. */
  sent: Map<string, number>;
  /** The same for cancels. */
  cancelled: Map<string, number>;
}

/** Holds the agents' streams of this process and keeps their presence. Knows connections, and no business. */
@Injectable()
export class GatewayService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly id = uuid();
  private readonly connections = new Map<string, Connection>();
  private readonly log = new Logger('Gateway');
  private heartbeat?: NodeJS.Timeout;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly bus: Bus,
    private readonly redis: RedisClient,
    private readonly keys: ClientKeysService,
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
      this.connections.get(clientId)?.stream.send('cancel', frame satisfies CancelFrame);
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.beat();
    this.heartbeat = setInterval(() => {
      this.beat().catch((error: Error) => this.log.warn(`heartbeat: ${error.message}`));
    }, HEARTBEAT_MS);
  }

  /** The ids of the clients whose streams this process holds. */
  get clientIds(): string[] {
    return [...this.connections.keys()];
  }

  /** Takes a new stream; the newest of a client wins. */
  async attach(clientId: string, keyId: string, stream: EventStream): Promise<void> {
    const connection: Connection = { id: uuid(), keyId, stream, sent: new Map(), cancelled: new Map() };
    const older = this.connections.get(clientId);
    if (older) this.close(clientId, older, 'replaced');
    this.connections.set(clientId, connection);
    stream.onClose(() => void this.detach(clientId, connection));
    stream.send('hello', { connectionId: connection.id, clientId });
    try {
      await this.database.query(
        `UPDATE clients SET status = 'online', gateway_id = $2, connection_id = $3, last_seen_at = now() WHERE id = $1`,
        [clientId, this.id, connection.id],
      );
    } catch (error) {
      // Presence that PostgreSQL does not know of would never be served: the agent comes back and tries again.
      stream.end();
      throw error;
    }
    this.tellPresence([clientId], 'online');
    this.bus.publish('connected', { clientId, connectionId: connection.id });
    this.bus.publish('client', { id: clientId });
  }

  /** Writes on the client's stream what was not yet written on it; `outstanding` and `cancels` are all that it should have. */
  deliver(clientId: string, outstanding: CommandFrame[], cancels: CancelFrame[]): void {
    const connection = this.connections.get(clientId);
    if (!connection) return;
    for (const frame of outstanding) {
      if (connection.sent.get(frame.id) === frame.attempt) continue;
      connection.stream.send('command', frame, frame.id);
    }
    connection.sent = new Map(outstanding.map(({ id, attempt }) => [id, attempt]));
    for (const frame of cancels) if (connection.cancelled.get(frame.id) !== frame.attempt) connection.stream.send('cancel', frame);
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

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.heartbeat);
    const clientIds = this.clientIds;
    for (const [clientId, connection] of this.connections) this.close(clientId, connection, 'shutdown');
    this.tellPresence(clientIds, 'offline');
    await this.database
      .query(`WITH gone AS (DELETE FROM gateways WHERE id = $1) UPDATE clients SET status = 'offline' WHERE gateway_id = $1 AND status = 'online'`, [this.id])
      .catch(() => undefined);
  }

  /** Closes those of these streams whose key has ended. */
  private async closeRevoked(connections: [string, Connection][]): Promise<void> {
    if (connections.length === 0) return;
    const ended = new Set(await this.keys.ended(connections.map(([, { keyId }]) => keyId)));
    for (const [clientId, connection] of connections) if (ended.has(connection.keyId)) this.close(clientId, connection, 'revoked');
  }

  private close(clientId: string, connection: Connection, reason: ByeFrame['reason']): void {
    connection.stream.send('bye', { reason } satisfies ByeFrame);
    connection.stream.end();
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

  /** Also mends what an outage left behind: a row that says something else than the stream here, a revocation that was not heard of. */
  private async beat(): Promise<void> {
    await this.database.query('INSERT INTO gateways (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET seen_at = now()', [this.id]);
    await this.database.query(
      `UPDATE clients SET status = 'offline' WHERE gateway_id = $1 AND status = 'online' AND NOT id = ANY($2)`,
      [this.id, this.clientIds],
    );
    await this.closeRevoked([...this.connections]);
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
