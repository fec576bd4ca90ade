import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { JobCounts, Queue } from 'bull';
import type { DataSource } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { Conflict, NotFound } from '../core/errors/errors';
import { NewsTransport } from '../core/events/news-transport';
import { Queues, RedisClient } from '../core/queue/queue.module';
import { VERSION } from '../core/version';

export interface SystemView {
  at: Date;
  version: string;
  node: string;
  /** Of the process that answers. */
  startedAt: Date;
  parts: Part[];
  queues: QueueView[];
  gateways: GatewayView[];
  /** How many clients' agents have which version; null for those that never said. */
  agents: { version: string | null; count: number }[];
}
interface Part {
  name: 'postgresql' | 'redis' | 'rabbitmq' | 'audit';
  status: 'up' | 'down';
  version: string | null;
  /** What it took to ask; for the audit log, the age of what is not sealed. */
  milliseconds: number | null;
  /** Why it is down. */
  detail: string | null;
}
interface QueueView {
  name: string;
  /** Null while Redis is away. */
  counts: JobCounts | null;
}
/** One process that holds streams; `agents` of its `streams` are machines, the others consoles. Seen at most 3 seconds ago while it lives. */
interface GatewayView {
  id: string;
  host: string | null;
  pid: number | null;
  version: string | null;
  agents: number;
  streams: number;
  startedAt: Date;
  seenAt: Date;
}
export interface FailedJob {
  id: string;
  attempts: number;
  reason: string;
  failedAt: Date | null;
}

const PATIENCE_MS = 2_000;
/** Unsealed for longer than this, the audit log is not as it should be. */
const SEAL_LAG_MS = 60_000;
const MOST_FAILED = 100;

/** Tells how the parts of the system are, and lets people run failed jobs again. */
@Injectable()
export class SystemReader {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly redis: RedisClient,
    private readonly queues: Queues,
    private readonly audit: AuditService,
    private readonly transport: NewsTransport,
  ) {}

  /** Answers also while parts are down: which is what it is asked for. */
  async read(): Promise<SystemView> {
    const [parts, queues, gateways, agents] = await Promise.all([
      Promise.all([this.postgresql(), this.redisPart(), ...this.bus(), this.seals()]),
      Promise.all(this.queues.all.map((queue) => this.count(queue))),
      this.gateways().catch(() => []),
      this.agents().catch(() => []),
    ]);
    const startedAt = new Date(Date.now() - process.uptime() * 1000);
    return { at: new Date(), version: VERSION, node: process.versions.node, startedAt, parts, queues, gateways, agents };
  }

  async failed(name: string): Promise<{ items: FailedJob[] }> {
    const jobs = await this.queue(name).getFailed(0, MOST_FAILED - 1);
    return {
      items: jobs.map((job) => ({
        id: String(job.id), attempts: job.attemptsMade, reason: job.failedReason ?? '', failedAt: job.finishedOn ? new Date(job.finishedOn) : null,
      })),
    };
  }

  async retry(name: string, id: string, by: Person): Promise<void> {
    const job = await this.queue(name).getJob(id);
    if (!job) throw new NotFound('job');
    if (!(await job.isFailed())) throw new Conflict('not_retryable', 'Only a failed job can be run again');
    await this.database.transaction((transaction) =>
      this.audit.record({ by, action: 'system.retry_job', target: { type: 'job', id: `${name}/${id}` }, outcome: 'done', detail: { reason: job.failedReason ?? '' } }, transaction),
    );
    await job.retry();
  }

  private queue(name: string): Queue {
    const queue = this.queues.all.find((candidate) => candidate.name === name);
    if (!queue) throw new NotFound('queue');
    return queue;
  }

  private postgresql(): Promise<Part> {
    return this.part('postgresql', async () => {
      const [row] = await this.database.query<{ version: string }[]>(`SELECT current_setting('server_version') AS version`);
      return { version: row?.version ?? null };
    });
  }

  private redisPart(): Promise<Part> {
    return this.part('redis', async () => ({ version: /redis_version:(\S+)/.exec(await this.redis.info('server'))?.[1] ?? null }));
  }

  /** Redis, when it carries the news too, is a part already. */
  private bus(): Promise<Part>[] {
    const { part, connected } = this.transport;
    if (part === 'redis') return [];
    return [this.part(part, () => (connected ? Promise.resolve({ milliseconds: null }) : Promise.reject(new Error('not connected'))))];
  }

  private seals(): Promise<Part> {
    return this.part('audit', async () => {
      const [row] = await this.database.query<{ lag: number | null }[]>(
        `SELECT extract(epoch FROM clock_timestamp() - (SELECT at FROM audit_unsealed ORDER BY id LIMIT 1))::float8 * 1000 AS lag`,
      );
      const milliseconds = Math.max(0, Math.round(row?.lag ?? 0));
      if (milliseconds > SEAL_LAG_MS) throw new Error('rows of the audit log wait for their seal');
      return { version: null, milliseconds };
    });
  }

  private async part(name: Part['name'], ask: () => Promise<Partial<Part>>): Promise<Part> {
    const began = performance.now();
    try {
      const answer = await withinPatience(ask());
      return { name, status: 'up', version: null, milliseconds: Math.round(performance.now() - began), detail: null, ...answer };
    } catch (error) {
      return { name, status: 'down', version: null, milliseconds: null, detail: (error as Error).message };
    }
  }

  private async count(queue: Queue): Promise<QueueView> {
    return { name: queue.name, counts: await withinPatience(queue.getJobCounts()).catch(() => null) };
  }

  private gateways(): Promise<GatewayView[]> {
    return this.database.query(
      `SELECT g.id, g.host, g.pid, g.version, g.streams, g.started_at AS "startedAt", g.seen_at AS "seenAt",
         (SELECT count(*)::integer FROM clients c WHERE c.gateway_id = g.id AND c.status = 'online') AS agents
       FROM gateways g ORDER BY g.id`,
    );
  }

  private agents(): Promise<SystemView['agents']> {
    return this.database.query(
      `SELECT agent->>'version' AS version, count(*)::integer AS count FROM clients WHERE deleted_at IS NULL GROUP BY 1 ORDER BY 2 DESC, 1`,
    );
  }
}

function withinPatience<T>(answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
