import { Injectable, Logger } from '@nestjs/common';
import { hostname } from 'node:os';
import { v7 as uuid } from 'uuid';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { Bus } from '../core/events/bus.service';
import { openStreams } from '../core/http/event-sink';
import { RedisClient } from '../core/queue/queue.module';
import { KEY_PREFIX } from '../core/queue/redis';
import { VERSION } from '../core/version';

/** A gateway silent for this long is dead, and its clients are offline. */
const DEAD_AFTER_SECONDS = 15;
/** In Redis, where it is told anew three times as often. */
const TOLD_SECONDS = 120;
/** Connections that one round compares with PostgreSQL. */
const COMPARED_AT_ONCE = 1_000;

/** Which connection of this process holds which client. */
export interface Link {
  clientId: string;
  connectionId: string;
  /** PostgreSQL knows of it: from then on, another connection there is a newer one. */
  written: boolean;
}

/** Clients that are to go offline, locked in the order in which whoever hands out work locks them. */
const goOffline = (which: string): string =>
  `gone AS MATERIALIZED (SELECT id FROM clients WHERE status = 'online' AND ${which} ORDER BY id FOR NO KEY UPDATE)
   UPDATE clients SET status = 'offline' WHERE id IN (SELECT id FROM gone)`;

/** Writes down which clients are connected to this process: in PostgreSQL, which decides, and in Redis, for people who look there. */
@Injectable()
export class Presence {
  readonly gatewayId = uuid();
  private readonly log = new Logger('Presence');
  private readonly arrivals = new GroupCommit<Link, void>((links) => this.writeArrivals(links));
  private readonly departures = new GroupCommit<Link, void>((links) => this.writeDepartures(links));
  private readonly untold = new Map<string, 'online' | 'offline'>();
  private rounds = 0;
  private toldAllAt = -Infinity;
  private orphansSoughtAt = -Infinity;

  constructor(
    private readonly hot: HotDatabase,
    private readonly bus: Bus,
    private readonly redis: RedisClient,
  ) {}

  /** From its commit on the client is online by this connection, whatever connections it had. */
  arrive(link: Link): Promise<void> {
    return this.arrivals.add(link);
  }

  /** The client is offline unless it has a newer connection. */
  leave(link: Link): void {
    this.departures.add(link).catch((error: Error) => this.log.warn(`presence of ${link.clientId}: ${error.message}`));
  }

  /**
   * Says that this process lives, and mends, for some of its connections in turn, what an outage left behind: a row that says something
   * else than they do. Answers those that it looked at, and of these the ones whose client has a newer connection elsewhere.
   */
  async beat<T extends Link>(links: readonly T[]): Promise<{ compared: T[]; replaced: T[] }> {
    // Ids of connections rise with time: what is connected from here on is not among these, and not gone.
    const asOf = uuid();
    await this.hot.query(
      `INSERT INTO gateways (id, host, pid, version, streams) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (id) DO UPDATE SET seen_at = now(), streams = excluded.streams`,
      [this.gatewayId, hostname(), process.pid, VERSION, openStreams.count],
    );
    const slices = Math.max(1, Math.ceil(links.length / COMPARED_AT_ONCE));
    const slice = this.rounds++ % slices;
    const compared = links.filter(({ clientId }) => sliceOf(clientId, slices) === slice);
    const newer = await this.hot.query<{ connectionId: string }[]>(
      `WITH mine AS (SELECT * FROM jsonb_to_recordset($2) AS n ("clientId" uuid, "connectionId" uuid)),
       wrong AS MATERIALIZED (
         SELECT id FROM clients c WHERE
           (gateway_id = $1 AND status = 'online' AND get_byte(uuid_send(id), 15) % $3 = $4
             AND connection_id < $5 AND NOT EXISTS (SELECT FROM mine WHERE mine."clientId" = c.id))
           OR (status = 'offline' AND EXISTS (SELECT FROM mine WHERE mine."clientId" = c.id AND mine."connectionId" = c.connection_id))
         ORDER BY id FOR NO KEY UPDATE
       ), mended AS (
         UPDATE clients SET status = CASE status WHEN 'online' THEN 'offline' ELSE 'online' END WHERE id IN (SELECT id FROM wrong)
       )
       SELECT mine."connectionId" FROM mine JOIN clients c ON c.id = mine."clientId" WHERE c.connection_id <> mine."connectionId"`,
      [this.gatewayId, JSON.stringify(compared.map(({ clientId, connectionId }) => ({ clientId, connectionId }))), slices, slice, asOf],
    );
    // Nobody waits for Redis, which may be gone without a word.
    void this.tellAll(links);
    const replaced = new Set(newer.map(({ connectionId }) => connectionId));
    return { compared, replaced: compared.filter(({ connectionId, written }) => written && replaced.has(connectionId)) };
  }

  /** Everybody whom this process holds is offline: it stops. */
  async close(links: readonly Link[]): Promise<void> {
    for (const { clientId } of links) this.tell(clientId, 'offline');
    await this.hot
      .query(`WITH closed AS (DELETE FROM gateways WHERE id = $1), ${goOffline('gateway_id = $1')}`, [this.gatewayId])
      .catch(() => undefined);
  }

  /**
   * Marks the clients of dead gateways offline; any number of processes may do it. Now and then also those of gateways that are not known
   * any more: who came while theirs stopped.
   */
  async buryDead(): Promise<void> {
    const dead = 'DELETE FROM gateways WHERE seen_at < now() - make_interval(secs => $1) RETURNING id';
    await this.hot.query(`WITH dead AS (${dead}), ${goOffline('gateway_id IN (SELECT id FROM dead)')}`, [DEAD_AFTER_SECONDS]);
    if (performance.now() - this.orphansSoughtAt < DEAD_AFTER_SECONDS * 1_000) return;
    this.orphansSoughtAt = performance.now();
    // A process that was frozen may have its row only with its next sign of life.
    const orphaned = 'gateway_id NOT IN (SELECT id FROM gateways) AND last_seen_at < now() - make_interval(secs => $1)';
    await this.hot.query(`WITH ${goOffline(orphaned)}`, [DEAD_AFTER_SECONDS]);
  }

  private async writeArrivals(links: Link[]): Promise<void[]> {
    await this.hot.query(
      `UPDATE clients c SET status = 'online', gateway_id = $1, connection_id = n."connectionId", last_seen_at = now()
       FROM jsonb_to_recordset($2) AS n ("clientId" uuid, "connectionId" uuid) WHERE c.id = n."clientId"`,
      [this.gatewayId, newest(links)],
    );
    // kill point: presence.after-arrival
    for (const link of links) {
      const { clientId, connectionId } = link;
      link.written = true;
      this.tell(clientId, 'online');
      this.bus.publish('connected', { clientId, connectionId });
      this.bus.publish('client', { id: clientId });
    }
    return links.map(() => undefined);
  }

  private async writeDepartures(links: Link[]): Promise<void[]> {
    const gone = await this.hot.query<{ id: string }[]>(
      `WITH gone AS (
         UPDATE clients c SET status = 'offline', last_seen_at = now()
         FROM jsonb_to_recordset($1) AS n ("clientId" uuid, "connectionId" uuid) WHERE c.id = n."clientId" AND c.connection_id = n."connectionId"
         RETURNING c.id
       ) SELECT id FROM gone`,
      [newest(links)],
    );
    for (const { id } of gone) {
      this.tell(id, 'offline');
      this.bus.publish('client', { id });
    }
    return links.map(() => undefined);
  }

  /** All of them anew every so often, and at once when Redis has forgotten them. */
  private async tellAll(links: readonly Link[]): Promise<void> {
    const key = `${KEY_PREFIX}gateway:${this.gatewayId}`;
    const known = await this.redis.set(key, 'alive', 'EX', TOLD_SECONDS, 'GET').catch(() => undefined);
    if (known === undefined || (known !== null && performance.now() - this.toldAllAt < (TOLD_SECONDS / 3) * 1000)) return;
    this.toldAllAt = performance.now();
    for (const { clientId } of links) this.tell(clientId, 'online');
  }

  /** `control_system:client:<id>:status`; the truth is in PostgreSQL. */
  private tell(clientId: string, status: 'online' | 'offline'): void {
    this.untold.set(clientId, status);
    if (this.untold.size > 1) return;
    setImmediate(() => {
      for (const [id, word] of this.untold) {
        this.redis.set(`${KEY_PREFIX}client:${id}:status`, word, 'EX', TOLD_SECONDS).catch(() => undefined);
      }
      this.untold.clear();
    });
  }
}

/** As PostgreSQL does it above: by the last byte of the id. */
const sliceOf = (clientId: string, slices: number): number => parseInt(clientId.slice(-2), 16) % slices;

/** JSON of the last link of each client, in the order of their ids, so that two groups never wait for each other. */
function newest(links: readonly Link[]): string {
  const last = [...new Map(links.map((link) => [link.clientId, link])).values()];
  return JSON.stringify(last.sort((a, b) => (a.clientId < b.clientId ? -1 : 1)).map(({ clientId, connectionId }) => ({ clientId, connectionId })));
}
