import { ACTIONS } from '@gwanje/contracts';
import { Injectable, OnModuleInit } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Pool } from 'pg';
import { Gauge } from 'prom-client';
import type { DataSource } from 'typeorm';
import { GatewayService } from '../clients/gateway.service';
import { Config } from '../core/config/config';
import { HotDatabase } from '../core/database/hot-database';
import { openStreams } from '../core/http/event-sink';
import { metric } from '../core/http/metric';
import { MetricSources } from '../core/http/metric-sources';
import { Queues } from '../core/queue/queue.module';

/** Counting what is open reads the indexes of all of it: not for every look. */
const FRESH_MS = 5_000;
/** A count of what waits goes no further: more is a backlog, however many. */
const MOST_COUNTED = 1_000_000;

/** What is, rather than what happened: read when somebody looks at `/metrics`. Workers tell of the whole system, every process of itself. */
@Injectable()
export class Gauges implements OnModuleInit {
  private readonly open = gauge('gwanje_commands_open', 'Commands that have not ended', ['state', 'action']);
  private readonly clients = gauge('gwanje_clients', 'Clients by status', ['status']);
  private readonly jobs = gauge('gwanje_queue_jobs', 'Jobs of Bull', ['queue', 'state']);
  private readonly streams = gauge('gwanje_streams', 'Open streams of this process', ['kind']);
  private readonly connections = gauge('gwanje_db_connections', 'Connections to PostgreSQL of this process', ['pool', 'state']);
  private countedAt = -Infinity;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly hot: HotDatabase,
    private readonly gateway: GatewayService,
    private readonly queues: Queues,
    private readonly sources: MetricSources,
    private readonly config: Config,
  ) {}

  onModuleInit(): void {
    this.sources.add(() => this.ofThisProcess());
    if (!this.config.has('worker')) return;
    this.sources.add(() => this.ofTheSystem());
    this.sources.add(() => this.ofTheQueues());
  }

  private ofThisProcess(): void {
    this.streams.set({ kind: 'agent' }, this.gateway.count);
    this.streams.set({ kind: 'person' }, openStreams.count - this.gateway.count);
    const general = (this.database.driver as unknown as { master: Pool }).master;
    for (const [pool, usage] of [['general', general], ['hot', this.hot.usage]] as const) {
      this.connections.set({ pool, state: 'open' }, usage.totalCount);
      this.connections.set({ pool, state: 'idle' }, usage.idleCount);
      this.connections.set({ pool, state: 'waited_for' }, usage.waitingCount);
    }
  }

  private async ofTheSystem(): Promise<void> {
    if (performance.now() - this.countedAt < FRESH_MS) return;
    this.countedAt = performance.now();
    const open = await this.database.query<{ state: string; action: string; count: number }[]>(
      `SELECT status AS state, CASE WHEN action = ANY($1) THEN action ELSE 'other' END AS action, count(*)::integer AS count
       FROM (SELECT status, action FROM commands WHERE phase COLLATE "C" IN ('pending', 'open') LIMIT ${MOST_COUNTED}) c GROUP BY 1, 2`,
      [Object.keys(ACTIONS)],
    );
    this.open.reset();
    for (const { count, ...labels } of open) this.open.set(labels, count);
    const clients = await this.database.query<{ status: string; count: number }[]>(
      'SELECT status, count(*)::integer AS count FROM clients WHERE deleted_at IS NULL GROUP BY status',
    );
    for (const status of ['online', 'offline']) this.clients.set({ status }, clients.find((row) => row.status === status)?.count ?? 0);
  }

  private async ofTheQueues(): Promise<void> {
    for (const queue of this.queues.all) {
      if (queue.client.status !== 'ready') continue;
      for (const [state, count] of Object.entries(await queue.getJobCounts())) this.jobs.set({ queue: queue.name, state }, count as number);
    }
  }
}

const gauge = (name: string, help: string, labelNames: string[]): Gauge => metric(name, () => new Gauge({ name, help, labelNames }));
