import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import { SYSTEM } from '../core/access/access';
import { CommandStore, LOCKED, type LockedCommand, STARVING } from './command-store';
import { STORED_PAYLOAD, type StoredPayload } from './payload-secrets.service';

export interface DoubtfulCommand extends LockedCommand, StoredPayload {
  /** Whose rights carry it: the creator, or whoever asked for the latest retry. */
  authorizedBy: string;
  rightsVersion: number;
}

/** SQL on `commands`: `deadline_at` is of the hand-out; what has started has its time from then. */
const OVERDUE = `phase = 'open' AND deadline_at <= now() AND coalesce(started_at + make_interval(secs => timeout_ms / 1000.0) <= now(), true)`;

/** Finds what is due by PostgreSQL's clock and has the store move it. Any number of copies: each takes what no other has locked. */
@Injectable()
export class CommandSweeps {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly store: CommandStore,
    private readonly audit: AuditService,
  ) {}

  /** Ends what nobody started before `expiresAt`. Returns the ids, at most `limit`. */
  expire(limit: number): Promise<LockedCommand[]> {
    return this.sweep('commands.expire', `phase IN ('pending', 'open') AND status <> 'running' AND expires_at <= now()`, limit, async (command, transaction) => {
      await this.store.move(command, 'expired', { error_message: 'expiresAt passed before it started' }, {}, transaction);
    });
  }

  /** The server's own, provisional verdict on what has not answered by its deadline, or in its time since it started. */
  timeOut(limit: number): Promise<LockedCommand[]> {
    return this.sweep('commands.time_out', OVERDUE, limit, async (command, transaction) => {
      await this.store.move(command, 'timed_out', { error_message: 'no word from the agent by the deadline' }, { from: command.status }, transaction);
      await this.store.retryIfDue(command, false, transaction);
    });
  }

  /**
   * Runs `judge` over what waits by rights that have changed since: a reason cancels the command, null lets it wait on. Returns what
   * it cancelled. A doubt is put aside when nothing is left that waits by other rights, also of what another copy has locked, and not within
   * a minute of the change: by then no transaction that knew the older rights is still open.
   */
  async judgeDoubtful(limit: number, judge: (command: DoubtfulCommand, transaction: EntityManager) => Promise<string | null>): Promise<LockedCommand[]> {
    const [doubted] = await this.database.query<{ ids: string[] | null }[]>('SELECT array_agg(id) AS ids FROM users WHERE rights_doubted');
    if (!doubted?.ids) return [];
    const cancelled: LockedCommand[] = [];
    await this.store.transaction(async (transaction) => {
      const rows = await transaction.query<DoubtfulCommand[]>(
        `SELECT c.client_id AS "clientId", c.action, c.status, c.attempt, c.max_attempts AS "maxAttempts", c.reported, false AS "isUnwanted", ${STORED_PAYLOAD},
           c.authorized_by AS "authorizedBy", u.rights_version AS "rightsVersion"
         FROM commands c JOIN users u ON u.id = c.authorized_by
         WHERE c.phase = 'pending' AND u.id = ANY($1) AND u.rights_version <> c.rights_version LIMIT $2 FOR UPDATE OF c SKIP LOCKED`,
        [doubted.ids, limit],
      );
      for (const row of rows) {
        const reason = await judge(row, transaction);
        if (reason === null) continue;
        await this.store.move(row, 'cancelled', { error_message: reason }, { reason }, transaction);
        cancelled.push(row);
      }
      const allowed = rows.filter((row) => row.status === 'pending');
      await transaction.query(
        'UPDATE commands c SET rights_version = n.version FROM unnest($1::uuid[], $2::integer[]) AS n (id, version) WHERE c.id = n.id',
        [allowed.map(({ id }) => id), allowed.map(({ rightsVersion }) => rightsVersion)],
      );
    });
    await this.database.query(
      `UPDATE users u SET rights_doubted = false WHERE id = ANY($1) AND rights_doubted AND rights_changed_at < now() - interval '1 minute'
         AND NOT EXISTS (SELECT FROM commands c WHERE c.phase = 'pending' AND c.authorized_by = u.id AND c.rights_version <> u.rights_version)`,
      [doubted.ids],
    );
    return cancelled;
  }

  /** Cancels what waits for a client that was removed, however long ago: an attempt that ran on may have failed since. */
  async cancelOrphans(limit: number): Promise<LockedCommand[]> {
    const cancelled: LockedCommand[] = [];
    // One after the other: each has an index of its own.
    for (const waits of [`phase = 'pending'`, `phase = 'open' AND status = 'dispatched'`]) {
      const removed = await this.database.query<{ id: string }[]>(
        `SELECT c.id FROM clients c CROSS JOIN LATERAL (SELECT FROM commands WHERE client_id = c.id AND ${waits} LIMIT 1) w WHERE c.deleted_at IS NOT NULL`,
      );
      if (removed.length === 0) continue;
      const found = await this.sweep('commands.cancel', `${waits} AND client_id = ANY($2)`, limit, async (command, transaction) => {
        const reason = 'the client was removed';
        await this.store.move(command, 'cancelled', { error_message: reason }, { reason }, transaction);
      }, [removed.map(({ id }) => id)]);
      cancelled.push(...found);
    }
    return cancelled;
  }

  /** Clients online that have due work and a free slot. It hops from client to client in the index of what waits: most clients have nothing. */
  async findStarving(limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      `WITH RECURSIVE waited_for AS (
         (SELECT client_id FROM commands WHERE phase = 'pending' ORDER BY client_id LIMIT 1)
         UNION ALL
         SELECT (SELECT p.client_id FROM commands p WHERE p.phase = 'pending' AND p.client_id > w.client_id ORDER BY p.client_id LIMIT 1)
         FROM waited_for w WHERE w.client_id IS NOT NULL
       )
       SELECT c.id FROM waited_for w JOIN clients c ON c.id = w.client_id WHERE ${STARVING} LIMIT $1`,
      [limit],
    );
    return rows.map(({ id }) => id);
  }

  /** What Gwanje does by itself is recorded as what people do. */
  private async sweep(
    action: string,
    where: string,
    limit: number,
    act: (command: LockedCommand, transaction: EntityManager) => Promise<void>,
    values: unknown[] = [],
  ): Promise<LockedCommand[]> {
    return this.store.transaction(async (transaction) => {
      const rows = await transaction.query<LockedCommand[]>(
        `SELECT ${LOCKED} FROM commands WHERE ${where} LIMIT $1 FOR UPDATE SKIP LOCKED`,
        [limit, ...values],
      );
      // kill point: sweep.before-moves
      for (const row of rows) {
        await act(row, transaction);
        const { id, clientId } = row;
        await this.audit.record({ by: SYSTEM, action, target: { type: 'command', id }, clientId, outcome: 'done' }, transaction);
      }
      return rows;
    });
  }
}
