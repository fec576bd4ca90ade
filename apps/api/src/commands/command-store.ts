import { ACTIONS, type CommandState, END_STATES, EMERGENCY_PRIORITY, IN_FLIGHT_STATES, isLegalMove } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { Person } from '../core/access/access';

/** A row that this transaction has locked. */
export interface LockedCommand {
  id: string;
  clientId: string;
  action: string;
  status: CommandState;
  attempt: number;
  maxAttempts: number;
  reported: { attempt: number; body: unknown } | null;
}

export interface DoubtfulCommand extends LockedCommand {
  payload: Record<string, unknown>;
  /** Whose rights carry it: the creator, or whoever asked for the latest retry. */
  authorizedBy: string;
  rightsVersion: number;
}

export interface NewCommand {
  id: string;
  clientId: string;
  batchId: string | null;
  action: string;
  payload: unknown;
  priority: number;
  timeoutMs: number;
  notBefore: string | null;
  expiresAt: string | null;
  maxAttempts: number;
  createdBy: string;
  /** The version of the creator's rights by which it was allowed. */
  rightsVersion: number;
  /** Parameters of the payload that are shown to nobody but the agent. */
  secretParameters: string[];
}

const RETRY_BASE_SECONDS = 1;
const RETRY_CAP_SECONDS = 300;

/**
 * The only writer of a command's state. Every move names the state and the attempt that it expects, is written down in
 * `command_logs` by the same transaction, and raises `revision`, which orders the history without gaps.
 */
@Injectable()
export class CommandStore {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  transaction<T>(work: (transaction: EntityManager) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  /** One statement for any number of commands that differ only in id and client. */
  async insert(command: Omit<NewCommand, 'id' | 'clientId'>, ids: string[], clientIds: string[], transaction: EntityManager): Promise<void> {
    await transaction.query(
      `WITH added AS (
         INSERT INTO commands (id, client_id, batch_id, action, payload, priority, timeout_ms, not_before, due_at, expires_at, max_attempts, created_by,
           authorized_by, rights_version, secret_parameters)
         SELECT n.id, n.client_id, $3, $4, $5, $6, $7, $8, coalesce($8, now()), $9, $10, $11, $11, $12, $13
         FROM unnest($1::uuid[], $2::uuid[]) AS n (id, client_id) RETURNING id
       )
       INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT id, 1, 'created', 1 FROM added`,
      [
        ids, clientIds, command.batchId, command.action, JSON.stringify(command.payload), command.priority, command.timeoutMs,
        command.notBefore, command.expiresAt, command.maxAttempts, command.createdBy, command.rightsVersion,
        command.secretParameters,
      ],
    );
  }

  async lock(id: string, clientId: string | null, transaction: EntityManager): Promise<LockedCommand | undefined> {
    const [row] = await transaction.query<LockedCommand[]>(
      `SELECT id, client_id AS "clientId", action, status, attempt, max_attempts AS "maxAttempts", reported
       FROM commands WHERE id = $1 AND ($2::uuid IS NULL OR client_id = $2) FOR UPDATE`,
      [id, clientId],
    );
    return row;
  }

  /**
   * Claims the best pending commands of these clients, never more than their free slots. What was allowed by rights that have changed
   * since waits until it is allowed again. Returns what was claimed.
   */
  async claim(clientIds: string[]): Promise<{ id: string; clientId: string }[]> {
    return this.transaction(async (transaction) => {
      // Locked first, by a statement of its own: the claim below must see what the claimer before us has committed.
      await transaction.query(`SELECT 1 FROM clients WHERE id = ANY($1) AND status = 'online' ORDER BY id FOR NO KEY UPDATE`, [clientIds]);
      return transaction.query<{ id: string; clientId: string }[]>(
        `WITH best AS (
           SELECT p.id FROM clients c
           CROSS JOIN LATERAL (
             SELECT count(*)::integer AS taken FROM commands f WHERE f.client_id = c.id AND f.status IN ('dispatched', 'running')
           ) busy
           CROSS JOIN LATERAL (
             SELECT q.id, q.priority, row_number() OVER (ORDER BY q.priority DESC, q.id) AS place FROM (
               SELECT p.id, p.priority FROM commands p JOIN users u ON u.id = p.authorized_by AND u.rights_version = p.rights_version
               WHERE p.client_id = c.id AND p.status = 'pending' AND p.due_at <= now() AND (p.expires_at IS NULL OR p.expires_at > now())
               ORDER BY p.priority DESC, p.id LIMIT greatest(c.concurrency + 1 - busy.taken, 0)
             ) q
           ) p
           WHERE c.id = ANY($1) AND c.status = 'online' AND (busy.taken + p.place <= c.concurrency OR p.priority = ${EMERGENCY_PRIORITY})
         ), moved AS (
           UPDATE commands SET status = 'dispatched', dispatched_at = now(), revision = revision + 1,
             deadline_at = now() + make_interval(secs => timeout_ms / 1000.0)
           FROM best WHERE commands.id = best.id AND commands.status = 'pending'
           RETURNING commands.id, commands.client_id, commands.revision, commands.attempt
         ), logged AS (
           INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT id, revision, 'dispatched', attempt FROM moved
         )
         SELECT id, client_id AS "clientId" FROM moved`,
        [clientIds],
      );
    });
  }

  /** Moves a locked command; the caller has checked that the move is legal, and the database checks it again. */
  async move(command: LockedCommand, to: CommandState, set: Record<string, unknown>, data: object, transaction: EntityManager): Promise<void> {
    if (command.status !== to && !isLegalMove(command.status, to)) throw new Error(`illegal move ${command.status} -> ${to}`);
    const ended = (END_STATES as readonly CommandState[]).includes(to);
    const columns: Record<string, unknown> = { ...set, status: to };
    const names = Object.keys(columns);
    const assignments = names.map((name, index) => `${name} = $${index + 6}`);
    if (to === 'running') assignments.push('started_at = now()', 'deadline_at = now() + make_interval(secs => timeout_ms / 1000.0)');
    if (ended) assignments.push('completed_at = now()');
    const rows = await transaction.query<unknown[]>(
      `WITH moved AS (
         UPDATE commands SET ${assignments.join(', ')}, revision = revision + 1
         WHERE id = $1 AND status = $2 AND attempt = $3 RETURNING id, revision, attempt
       )
       INSERT INTO command_logs (command_id, revision, event_type, attempt, data)
       SELECT id, revision, $4, attempt, $5 FROM moved RETURNING 1`,
      [command.id, command.status, command.attempt, to, JSON.stringify(data), ...names.map((name) => columns[name])],
    );
    if (rows.length !== 1) throw new Error(`command ${command.id} changed under its lock`);
    command.status = to;
  }

  /** Starts a new attempt after `delay` seconds; by itself, or because somebody asks for it, who then answers for it. */
  async retry(command: LockedCommand, delay: number, by: Person | null, transaction: EntityManager): Promise<void> {
    await transaction.query(
      `WITH moved AS (
         UPDATE commands SET status = 'pending', attempt = attempt + 1, max_attempts = greatest(max_attempts, attempt + 1),
           revision = revision + 1, due_at = now() + make_interval(secs => $4), deadline_at = NULL, expires_at = CASE WHEN expires_at <= now() THEN NULL ELSE expires_at END,
           dispatched_at = NULL, started_at = NULL, cancel_requested_at = NULL, completed_at = NULL, result = NULL, error_message = NULL,
           authorized_by = coalesce($6, authorized_by), rights_version = coalesce($7, rights_version)
         WHERE id = $1 AND status = $2 AND attempt = $3 RETURNING id, revision, attempt
       )
       INSERT INTO command_logs (command_id, revision, event_type, attempt, data)
       SELECT id, revision, 'retry', attempt, jsonb_build_object('by', $5::text, 'delaySeconds', $4::float8) FROM moved`,
      [command.id, command.status, command.attempt, delay, by ? 'operator' : 'automatic', by?.id ?? null, by?.rightsVersion ?? null],
    );
  }

  /** Notes that a running command is to be killed: the agent is told until it says how the attempt ended. No move by itself. */
  async requestCancel(command: LockedCommand, by: string, transaction: EntityManager): Promise<void> {
    await transaction.query(
      `WITH asked AS (
         UPDATE commands SET cancel_requested_at = now(), revision = revision + 1
         WHERE id = $1 AND status = 'running' AND attempt = $2 AND cancel_requested_at IS NULL RETURNING id, revision, attempt
       )
       INSERT INTO command_logs (command_id, revision, event_type, attempt, data)
       SELECT id, revision, 'cancel_requested', attempt, jsonb_build_object('by', $3::text) FROM asked`,
      [command.id, command.attempt, by],
    );
  }

  /** Whether the command, just failed or timed out, is to be tried again by itself; then it is put back. */
  async retryIfDue(command: LockedCommand, certain: boolean, transaction: EntityManager): Promise<boolean> {
    const safe = certain || ACTIONS[command.action]?.idempotent === true;
    if (!safe || command.attempt >= command.maxAttempts) return false;
    const backoff = Math.min(RETRY_BASE_SECONDS * 2 ** (command.attempt - 1), RETRY_CAP_SECONDS);
    await this.retry(command, backoff * (0.5 + Math.random() / 2), null, transaction);
    return true;
  }

  /** Ends what nobody started before `expiresAt`. Returns the ids, at most `limit`. */
  expire(limit: number): Promise<LockedCommand[]> {
    return this.sweep(`status IN ('pending', 'dispatched') AND expires_at <= now()`, limit, async (command, transaction) => {
      await this.move(command, 'expired', { error_message: 'expiresAt passed before it started' }, {}, transaction);
    });
  }

  /** The server's own, provisional verdict on what has not answered by its deadline. */
  timeOut(limit: number): Promise<LockedCommand[]> {
    return this.sweep(`status IN ('dispatched', 'running') AND deadline_at <= now()`, limit, async (command, transaction) => {
      await this.move(command, 'timed_out', { error_message: 'no word from the agent by the deadline' }, { from: command.status }, transaction);
      await this.retryIfDue(command, false, transaction);
    });
  }

  /**
   * Runs `judge` over what waits by rights that have changed since: a reason cancels the command, null lets it wait on. Returns what
   * it cancelled. A doubt is put aside a minute after the change: by then no transaction that knew the older rights is still open.
   */
  async judgeDoubtful(limit: number, judge: (command: DoubtfulCommand, transaction: EntityManager) => Promise<string | null>): Promise<LockedCommand[]> {
    const [doubted] = await this.database.query<{ ids: string[] | null }[]>('SELECT array_agg(id) AS ids FROM users WHERE rights_doubted');
    if (!doubted?.ids) return [];
    const cancelled: LockedCommand[] = [];
    const left = await this.transaction(async (transaction) => {
      const rows = await transaction.query<DoubtfulCommand[]>(
        `SELECT c.id, c.client_id AS "clientId", c.action, c.status, c.attempt, c.max_attempts AS "maxAttempts", c.reported, c.payload,
           c.authorized_by AS "authorizedBy", u.rights_version AS "rightsVersion"
         FROM commands c JOIN users u ON u.id = c.authorized_by
         WHERE c.status = 'pending' AND u.id = ANY($1) AND u.rights_version <> c.rights_version LIMIT $2 FOR UPDATE OF c SKIP LOCKED`,
        [doubted.ids, limit],
      );
      for (const row of rows) {
        const reason = await judge(row, transaction);
        if (reason === null) continue;
        await this.move(row, 'cancelled', { error_message: reason }, { reason }, transaction);
        cancelled.push(row);
      }
      const allowed = rows.filter((row) => row.status === 'pending');
      await transaction.query(
        'UPDATE commands c SET rights_version = n.version FROM unnest($1::uuid[], $2::integer[]) AS n (id, version) WHERE c.id = n.id',
        [allowed.map(({ id }) => id), allowed.map(({ rightsVersion }) => rightsVersion)],
      );
      return rows.length;
    });
    if (left < limit) {
      await this.database.query(
        `UPDATE users SET rights_doubted = false WHERE id = ANY($1) AND rights_doubted AND rights_changed_at < now() - interval '1 minute'`, [doubted.ids],
      );
    }
    return cancelled;
  }

  /** Cancels what waits for a client that was removed. */
  cancelOrphans(limit: number): Promise<LockedCommand[]> {
    const removed = `client_id IN (SELECT id FROM clients WHERE deleted_at > now() - interval '1 day')`;
    return this.sweep(`status IN ('pending', 'dispatched') AND ${removed}`, limit, async (command, transaction) => {
      const reason = 'the client was removed';
      await this.move(command, 'cancelled', { error_message: reason }, { reason }, transaction);
    });
  }

  /** Clients online that have due work and a free slot. */
  async findStarving(limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }[]>(
      `SELECT c.id FROM clients c WHERE c.status = 'online' AND EXISTS (
         SELECT 1 FROM commands p WHERE p.client_id = c.id AND p.status = 'pending' AND p.due_at <= now()
       ) AND (SELECT count(*) FROM commands f WHERE f.client_id = c.id AND f.status IN ('dispatched', 'running')) <= c.concurrency
       LIMIT $1`,
      [limit],
    );
    return rows.map(({ id }) => id);
  }

  async inFlight(clientId: string, transaction: EntityManager): Promise<LockedCommand[]> {
    return transaction.query<LockedCommand[]>(
      `SELECT id, client_id AS "clientId", action, status, attempt, max_attempts AS "maxAttempts", reported
       FROM commands WHERE client_id = $1 AND status = ANY($2) ORDER BY id FOR UPDATE`,
      [clientId, IN_FLIGHT_STATES],
    );
  }

  /** Of these commands of the client's, those whose verdict is provisional: the agent may still settle the same attempt. */
  async provisional(clientId: string, ids: string[], transaction: EntityManager): Promise<{ id: string; attempt: number }[]> {
    return transaction.query(
      `SELECT id, attempt FROM commands WHERE client_id = $1 AND id = ANY($2) AND status IN ('timed_out', 'indeterminate')`,
      [clientId, ids],
    );
  }

  private async sweep(
    where: string,
    limit: number,
    act: (command: LockedCommand, transaction: EntityManager) => Promise<void>,
  ): Promise<LockedCommand[]> {
    return this.transaction(async (transaction) => {
      const rows = await transaction.query<LockedCommand[]>(
        `SELECT id, client_id AS "clientId", action, status, attempt, max_attempts AS "maxAttempts", reported
         FROM commands WHERE ${where} LIMIT $1 FOR UPDATE SKIP LOCKED`,
        [limit],
      );
      for (const row of rows) await act(row, transaction);
      return rows;
    });
  }
}
