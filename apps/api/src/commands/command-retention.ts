import { END_STATES } from '@gwanje/contracts';
import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { NIL, v7 } from 'uuid';
import { AuditService } from '../audit/audit.service';
import { SYSTEM } from '../core/access/access';
import { Config } from '../core/config/config';
import type { Queries } from '../core/database/queries';
import { RedisClient } from '../core/queue/queue.module';
import { KEY_PREFIX } from '../core/queue/redis';
import { ArtifactStore, StoreUnavailable } from './artifact-store';

const ROUND_MS = 3_600_000;
const AT_ONCE = 500;
const DAY_MS = 86_400_000;
/** A file that no row names may belong to an upload that is under way. */
const ORPHAN_MS = DAY_MS;
/** The time in an id is that of the server that made it, the time of an end is PostgreSQL's: their clocks differ by less than this. */
const CLOCKS_MS = DAY_MS;

/** What was dropped in one round. */
export interface Dropped {
  commands: number;
  outputs: number;
  artifacts: number;
}

const TABLES = { outputs: 'command_outputs', artifacts: 'artifacts' };

/**
 * Drops what the policy no longer keeps: ended commands with all that belongs to them, or their output or files before that. Each transaction
 * that drops something leaves an audit row; the audit log itself has a policy of its own. Any number of copies: each takes what no other has locked.
 */
@Injectable()
export class CommandRetention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('CommandRetention');
  private timer?: NodeJS.Timeout;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly redis: RedisClient,
    private readonly audit: AuditService,
    private readonly config: Config,
    private readonly store: ArtifactStore,
  ) {}

  onApplicationBootstrap(): void {
    const { COMMAND_RETENTION_DAYS, OUTPUT_RETENTION_DAYS, ARTIFACT_RETENTION_DAYS } = this.config;
    if (COMMAND_RETENTION_DAYS + OUTPUT_RETENTION_DAYS + ARTIFACT_RETENTION_DAYS === 0) return;
    const round = (): void => void this.drop(new Date()).catch((error: Error) => this.log.warn(`round not finished: ${error.message}`));
    round();
    this.timer = setInterval(round, ROUND_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  async drop(now: Date): Promise<Dropped> {
    const { COMMAND_RETENTION_DAYS, OUTPUT_RETENTION_DAYS, ARTIFACT_RETENTION_DAYS } = this.config;
    const before = (days: number): Date => new Date(Math.max(0, now.getTime() - days * DAY_MS));
    const dropped: Dropped = { commands: 0, outputs: 0, artifacts: 0 };
    if (ARTIFACT_RETENTION_DAYS > 0) dropped.artifacts = await this.dropOf('artifacts', before(ARTIFACT_RETENTION_DAYS));
    if (OUTPUT_RETENTION_DAYS > 0) dropped.outputs = await this.dropOf('outputs', before(OUTPUT_RETENTION_DAYS));
    if (COMMAND_RETENTION_DAYS > 0) dropped.commands = await this.dropCommands(before(COMMAND_RETENTION_DAYS));
    await this.removeOrphans(new Date(now.getTime() - ORPHAN_MS));
    return dropped;
  }

  /** Of commands that ended before. Answers how many rows went. */
  private async dropOf(what: keyof typeof TABLES, before: Date): Promise<number> {
    const table = TABLES[what];
    let total = 0;
    let last: string | null = NIL;
    do {
      const from: string = last;
      const row = await this.database.transaction(async (transaction) => {
        const [gone] = await transaction.query<{ count: number; last: string | null }[]>(
          `WITH next AS MATERIALIZED (
             SELECT DISTINCT command_id FROM ${table} WHERE command_id > $5 AND command_id < $4 ORDER BY command_id LIMIT $3
           ), gone AS (
             DELETE FROM ${table} t USING next JOIN commands c ON c.id = next.command_id
             WHERE t.command_id = c.id AND c.status = ANY($1) AND c.completed_at < $2 RETURNING 1
           ) SELECT (SELECT count(*) FROM gone)::integer AS count, (SELECT max(command_id::text) FROM next) AS last`,
          [END_STATES, before, AT_ONCE, endOf(before), from],
        );
        await this.record({ [what]: gone?.count ?? 0 }, before, transaction);
        return gone;
      });
      total += row?.count ?? 0;
      last = row?.last ?? null;
    } while (last);
    return total;
  }

  private async dropCommands(before: Date): Promise<number> {
    let total = 0;
    let ids: string[] = [];
    do {
      const last = ids.at(-1) ?? NIL;
      ids = await this.database.transaction(async (transaction) => {
        const rows = await transaction.query<{ id: string }[]>(
          `SELECT id FROM commands WHERE id > $5 AND id < $4 AND status = ANY($1) AND completed_at < $2 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED`,
          [END_STATES, before, AT_ONCE, endOf(before), last],
        );
        // History, output and files of a command go with it.
        await transaction.query('DELETE FROM commands WHERE id = ANY($1)', [rows.map(({ id }) => id)]);
        await this.record({ commands: rows.length }, before, transaction);
        return rows.map(({ id }) => id);
      });
      total += ids.length;
      if (ids.length > 0) await this.redis.del(ids.map((id) => `${KEY_PREFIX}command:${id}`)).catch(() => undefined /* forgotten within minutes anyway */);
    } while (ids.length === AT_ONCE);
    if (total > 0) await this.dropEmpty(before);
    return total;
  }

  /** In the transaction that drops it: neither is there without the other. */
  private async record(dropped: Partial<Dropped>, endedBefore: Date, transaction: Queries): Promise<void> {
    if (Object.values(dropped).every((count) => count === 0)) return;
    const target = { type: 'policy', id: null };
    await this.audit.record({ by: SYSTEM, action: 'commands.retention', target, outcome: 'done', detail: { ...dropped, endedBefore } }, transaction);
  }

  /** Batches without commands, and keys whose answer is gone: the same key would begin anew. */
  private async dropEmpty(before: Date): Promise<void> {
    const old = 'created_at < $1';
    await this.database.query(`DELETE FROM batches b WHERE ${old} AND NOT EXISTS (SELECT FROM commands c WHERE c.batch_id = b.id)`, [before]);
    await this.database.query(
      `DELETE FROM idempotency_keys k WHERE ${old} AND NOT EXISTS (SELECT FROM commands WHERE id = k.answer_id) AND NOT EXISTS (SELECT FROM batches WHERE id = k.answer_id)`,
      [before],
    );
  }

  /** The rows go first: a file without a row is nobody's, whatever ended in between. What cannot be removed now is found again by the next round. */
  private async removeOrphans(before: Date): Promise<void> {
    const faults: StoreUnavailable[] = [];
    for await (const ids of this.store.storedBefore(before)) {
      const known = await this.database.query<{ id: string }[]>('SELECT id FROM artifacts WHERE id = ANY($1)', [ids]);
      const kept = new Set(known.map(({ id }) => id));
      for (const id of ids.filter((one) => !kept.has(one))) await this.store.remove(id).catch((error: StoreUnavailable) => void faults.push(error));
    }
    if (faults[0]) this.log.warn(`${faults.length} files stay until the next round: ${faults[0].reason}`);
  }
}

/** Whatever ended before was made before, and has a lower id (UUIDv7) than this: nothing from there on has to be read, however much is kept. */
const endOf = (before: Date): string => v7({ msecs: before.getTime() + CLOCKS_MS, seq: 0, random: new Uint8Array(16) });
