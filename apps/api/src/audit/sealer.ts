import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { Gauge } from 'prom-client';
import type { DataSource, EntityManager } from 'typeorm';
import { Config } from '../core/config/config';
import { metric } from '../core/http/metric';
import { type AuditRow, ITEM_COLUMNS, toItem } from './audit-row';
import { addCheckpoint, readCheckpoints } from './checkpoints';
import { canonical } from './proof/canonical';
import { leafHash, MerkleBuilder } from './proof/merkle';
import { NO_HASH, signStatement, STATEMENT_FORM, statementHash } from './proof/signatures';
import { SigningKey } from './signing-key';

/** Of one checkpoint, and read at a time. */
const ROWS_AT_ONCE = 1_000;
const ROWS_A_PAGE = 100;
/**
 * What waits behind a row, each looked up by its id. A join would be free to walk through the whole log beside the few that wait, and
 * PostgreSQL thinks it cheap while its statistics of the queue are older than those of the log; `OFFSET 0` leaves it no choice.
 */
export const NEXT_PAGE = `SELECT ${ITEM_COLUMNS} FROM (SELECT id FROM audit_unsealed WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT ${ROWS_A_PAGE}) waiting
  CROSS JOIN LATERAL (SELECT * FROM audit_log WHERE id = waiting.id OFFSET 0) a ORDER BY waiting.id`;
const LOCK = `hashtext('gwanje.audit.seal')`;

/**
 * Gives every committed row its position and seals it into the next checkpoint. Any number of copies, one at a time. It looks only at
 * the rows that wait for a seal, never at a time or a last position, so a row that commits late is sealed late, and never missed.
 */
@Injectable()
export class Sealer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('Sealer');
  private readonly lag = metric('gwanje_audit_seal_lag_seconds', (name) => new Gauge({ name, help: 'Age of the oldest audit row that is not sealed' }));
  private timer?: NodeJS.Timeout;
  private stopped = false;
  private running?: Promise<void>;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly key: SigningKey,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    if (this.config.has('worker')) this.timer = setTimeout(() => this.start(), this.config.AUDIT_SEAL_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** Seals every row that is committed by now, waiting for other sealers. */
  async sealAll(): Promise<void> {
    while ((await this.sealNext(true)) === ROWS_AT_ONCE);
  }

  private start(): void {
    this.running = this.round().finally(() => {
      if (!this.stopped) this.timer = setTimeout(() => this.start(), this.config.AUDIT_SEAL_MS);
    });
  }

  private async round(): Promise<void> {
    try {
      // Mostly nothing waits: then one look is all.
      let sealed = (await this.measure()) ? ROWS_AT_ONCE : 0;
      while (sealed === ROWS_AT_ONCE && !this.stopped) sealed = await this.sealNext(false);
      if (sealed > 0) await this.measure();
    } catch (error) {
      this.log.warn(`round not finished: ${(error as Error).message}`);
    }
  }

  /** One checkpoint, of the rows that are committed by now. Answers how many; 0 also when another sealer is at work and `wait` is false. */
  private sealNext(wait: boolean): Promise<number> {
    return this.database.transaction(async (transaction) => {
      if (wait) await transaction.query(`SELECT pg_advisory_xact_lock(${LOCK})`);
      else {
        const [lock] = await transaction.query<{ mine: boolean }[]>(`SELECT pg_try_advisory_xact_lock(${LOCK}) AS mine`);
        if (!lock?.mine) return 0;
      }
      await this.key.register(transaction);
      return this.seal(transaction);
    });
  }

  private async seal(transaction: EntityManager): Promise<number> {
    const [before] = await readCheckpoints(transaction, 'ORDER BY number DESC LIMIT 1');
    const first = (before?.statement.last ?? 0) + 1;
    const { ids, leaves } = await this.leaves(first, transaction);
    if (ids.length === 0) return 0;
    const tree = new MerkleBuilder();
    leaves.forEach((leaf) => tree.add(leaf));
    const [clock] = await transaction.query<{ now: string }[]>(
      `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`,
    );
    const checkpoint = signStatement(
      {
        ...STATEMENT_FORM,
        type: 'gwanje.audit.checkpoint' as const,
        keyId: this.key.id,
        number: (before?.statement.number ?? 0) + 1,
        first,
        last: first + ids.length - 1,
        count: ids.length,
        root: tree.root().toString('hex'),
        previous: before ? statementHash(before.statement) : NO_HASH,
        sealedAt: clock?.now ?? '',
      },
      this.key.key,
    );
    await addCheckpoint(transaction, checkpoint);
    await transaction.query(
      `INSERT INTO audit_seals (position, audit_id, leaf)
       SELECT $1::bigint + n - 1, id, leaf FROM unnest($2::uuid[], $3::bytea[]) WITH ORDINALITY AS sealed (id, leaf, n)`,
      [first, ids, leaves],
    );
    return ids.length;
  }

  /** What waits and goes into a checkpoint from position `first` on; of the rows themselves, few are held at a time. */
  private async leaves(first: number, transaction: EntityManager): Promise<{ ids: string[]; leaves: Buffer[] }> {
    const [ids, leaves]: [string[], Buffer[]] = [[], []];
    for (let read = ROWS_A_PAGE; read === ROWS_A_PAGE && ids.length < ROWS_AT_ONCE; ) {
      const rows = await transaction.query<Omit<AuditRow, 'position'>[]>(NEXT_PAGE, [ids.at(-1) ?? null]);
      for (const row of rows) leaves.push(leafHash(canonical(toItem(row, first + ids.push(row.id) - 1))));
      read = rows.length;
    }
    return { ids, leaves };
  }

  /** Answers whether a row waits. */
  private async measure(): Promise<boolean> {
    const [oldest] = await this.database.query<{ seconds: number }[]>(
      'SELECT extract(epoch FROM clock_timestamp() - at)::float8 AS seconds FROM audit_unsealed ORDER BY id LIMIT 1',
    );
    this.lag.set(Math.max(0, oldest?.seconds ?? 0));
    return oldest !== undefined;
  }
}
