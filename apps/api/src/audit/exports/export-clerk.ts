import type { AuditExportFormat, AuditFilter, Permission } from '@gwanje/contracts';
import { InjectQueue, Process, Processor } from '@nestjs/bull';
import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { Job, Queue } from 'bull';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DataSource } from 'typeorm';
import { Config } from '../../core/config/config';
import { Bus } from '../../core/events/bus.service';
import { type ExportResult, type ExportState, ExportWriter } from './export-writer';

export const EXPORTS_QUEUE = 'audit-exports';
const HEARTBEAT_MS = 1_000;
/** A job can be lost with Redis, or with the worker that took it. */
const QUEUE_AGAIN_MS = 4_000;
/** A worker that was silent for so long is dead, and another one starts over. */
const SILENCE_SECONDS = 30;
const MAX_ATTEMPTS = 5;
/** Whoever ordered it may do and see what they could then: no change of their rights came since. */
const SAME_RIGHTS = `EXISTS (SELECT 1 FROM users u
  WHERE u.id = audit_exports.created_by AND u.rights_version = audit_exports.rights_version AND u.disabled_at IS NULL)`;

interface ClaimedExport {
  id: string;
  attempt: number;
  created_by: string;
  everywhere: Permission[];
  format: AuditExportFormat;
  filter: AuditFilter | null;
}

export const exportFile = (config: Config, { id, format }: { id: string; format: AuditExportFormat }): string =>
  join(config.ARTIFACTS_DIR, 'exports', `${id}.${format}`);

/**
 * Carries exports out. The row in PostgreSQL is the order, its state and the claim on it; Bull's job only says that there is
 * something to do. `attempt` is the fencing token: whoever lost the claim changes nothing any more, neither the row nor the file. Nothing is made for somebody whose
 * rights have changed since they ordered it.
 */
@Injectable()
export class ExportClerk implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = new Logger('ExportClerk');
  private readonly stop = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private timer?: NodeJS.Timeout;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    @InjectQueue(EXPORTS_QUEUE) private readonly queue: Queue<{ id: string }>,
    private readonly writer: ExportWriter,
    private readonly config: Config,
    private readonly bus: Bus,
  ) {}

  onApplicationBootstrap(): void {
    if (this.config.has('worker')) this.timer = setTimeout(() => void this.sweep(), this.config.SWEEP_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    this.stop.abort();
    await Promise.allSettled(this.running);
  }

  /** Puts on the queue whatever is ordered and nobody works on. Never throws: the next sweep tries again. */
  async wake(): Promise<void> {
    try {
      if (this.queue.client.status !== 'ready') return;
      const waiting = await this.database.query<{ id: string; attempt: number }[]>(
        `SELECT id, attempt FROM audit_exports WHERE status = 'queued' OR (status = 'running' AND heartbeat_at < now() - make_interval(secs => $1))
         ORDER BY id LIMIT 100`,
        [SILENCE_SECONDS],
      );
      // Bull ignores an id that it has: an order is not queued again at every sweep, and again soon if its job got lost.
      const period = Math.floor(Date.now() / QUEUE_AGAIN_MS);
      for (const { id, attempt } of waiting) await this.queue.add({ id }, { jobId: `${id}.${attempt}.${period}`, removeOnFail: true });
    } catch (error) {
      this.log.warn(`not queued, tried again soon: ${(error as Error).message}`);
    }
  }

  /** Does the order, unless somebody else does or did. */
  async carryOut(id: string): Promise<void> {
    if (this.stop.signal.aborted) return;
    const work = this.work(id).finally(() => this.running.delete(work));
    this.running.add(work);
    await work;
  }

  private async sweep(): Promise<void> {
    await this.wake();
    if (!this.stop.signal.aborted) this.timer = setTimeout(() => void this.sweep(), this.config.SWEEP_MS);
  }

  private async work(id: string): Promise<void> {
    await this.refuseOutdated(id);
    const order = await this.claim(id);
    this.tell(id);
    if (!order) return;
    const path = exportFile(this.config, order);
    const part = `${path}.${order.attempt}.part`;
    const state: ExportState = { progress: 0, rows: 0 };
    const lost = new AbortController();
    const beat = setInterval(() => void this.heartbeat(order, state, lost), HEARTBEAT_MS);
    try {
      await this.clearAway(path, order.attempt);
      const viewer = { id: order.created_by, everywhere: order.everywhere };
      const result = await this.writer.write({ ...order, viewer }, part, state, AbortSignal.any([this.stop.signal, lost.signal]));
      if (!(await this.complete(order, state, result, () => rename(part, path)))) await rm(part, { force: true });
      await this.refuseOutdated(id);
    } catch (error) {
      await rm(part, { force: true });
      await this.giveBack(order, error as Error);
    } finally {
      clearInterval(beat);
      this.tell(id);
    }
  }

  private tell(id: string): void {
    this.bus.publish('exports', { ids: [id] });
  }

  /** Ends an order, at whatever point it is, when the rights of whoever ordered it have changed. */
  private async refuseOutdated(id: string): Promise<void> {
    const message = 'your rights have changed since this export was ordered; order it again';
    await this.database.query(
      `UPDATE audit_exports SET status = 'failed', error_message = $2 WHERE id = $1 AND status IN ('queued', 'running') AND NOT ${SAME_RIGHTS}`,
      [id, message],
    );
  }

  private async claim(id: string): Promise<ClaimedExport | undefined> {
    const [[order]] = await this.database.query<[ClaimedExport[], number]>(
      `UPDATE audit_exports SET status = 'running', attempt = attempt + 1, progress = 0, rows = 0, heartbeat_at = now()
       WHERE id = $1 AND (status = 'queued' OR (status = 'running' AND heartbeat_at < now() - make_interval(secs => $2)))
       RETURNING id, attempt, created_by, everywhere, format, filter`,
      [id, SILENCE_SECONDS],
    );
    return order;
  }

  private async heartbeat({ id, attempt }: ClaimedExport, { progress, rows }: ExportState, lost: AbortController): Promise<void> {
    const [, held] = await this.database
      .query<[unknown[], number]>(
        `UPDATE audit_exports SET heartbeat_at = now(), progress = $3, rows = $4 WHERE id = $1 AND attempt = $2 AND status = 'running' AND ${SAME_RIGHTS}`,
        [id, attempt, progress, rows],
      )
      .catch(() => [[], 1] as [unknown[], number] /* PostgreSQL is away: the claim is not lost by that */);
    this.tell(id);
    if (held === 0) lost.abort(new Error('another worker has taken over, or the rights of whoever ordered it have changed'));
  }

  /** Puts the file in its place while this holds the row: no other attempt can put its own there. Answers whether the claim was still held. */
  private complete({ id, attempt }: ClaimedExport, { rows }: ExportState, { bytes, sha256 }: ExportResult, place: () => Promise<void>): Promise<boolean> {
    return this.database.transaction(async (transaction) => {
      const [, held] = await transaction.query<[unknown[], number]>(
        `UPDATE audit_exports SET status = 'completed', progress = 100, rows = $3, bytes = $4, sha256 = $5, error_message = NULL, completed_at = now()
         WHERE id = $1 AND attempt = $2 AND status = 'running' AND ${SAME_RIGHTS}`,
        [id, attempt, rows, bytes, sha256],
      );
      if (held > 0) await place();
      return held > 0;
    });
  }

  /** For the next attempt, which the sweep starts; a stop of this process does not count as a failure. */
  private async giveBack({ id, attempt }: ClaimedExport, error: Error): Promise<void> {
    if (!this.stop.signal.aborted) this.log.warn(`export ${id}, attempt ${attempt}: ${error.message}`);
    const status = attempt < MAX_ATTEMPTS || this.stop.signal.aborted ? 'queued' : 'failed';
    await this.database
      .query(`UPDATE audit_exports SET status = $3, error_message = $4 WHERE id = $1 AND attempt = $2 AND status = 'running'`, [
        id, attempt, status, this.stop.signal.aborted ? null : 'the export could not be written; the server log says why',
      ])
      .catch(() => undefined /* stays `running` without a heartbeat, and is found by that */);
  }

  private async clearAway(path: string, attempt: number): Promise<void> {
    await mkdir(join(this.config.ARTIFACTS_DIR, 'exports'), { recursive: true });
    for (let earlier = 1; earlier < attempt; earlier++) await rm(`${path}.${earlier}.part`, { force: true });
  }
}

@Processor(EXPORTS_QUEUE)
export class ExportProcessor {
  constructor(private readonly clerk: ExportClerk) {}

  @Process({ concurrency: 1 })
  async process(job: Job<{ id: string }>): Promise<void> {
    await this.clerk.carryOut(job.data.id);
  }
}
