import { ACTIONS, type CommandState, END_STATES, EMERGENCY_PRIORITY, IN_FLIGHT_STATES, isLegalMove } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { Person } from '../core/access/access';
import type { Queries } from '../core/database/queries';
import { ask, type Statement } from '../core/database/statement';
import type { Moved } from './command-metrics';
import { asRecord, type NewCommand } from './new-command';
import { type Claimed, OUTSTANDING } from './outstanding';

/** A row that this transaction has locked. */
export interface LockedCommand {
  id: string;
  clientId: string;
  action: string;
  status: CommandState;
  attempt: number;
  maxAttempts: number;
  reported: { attempt: number; body: unknown } | null;
  /** Somebody wants it to end, or `expiresAt` has passed: no attempt follows by itself. */
  isUnwanted: boolean;
  /** Beyond its `expiresAt`: whatever has not begun does not begin any more. */
  isOverdue: boolean;
}

/** A move by an agent's word: a start, or an end with what it said. */
export interface Move {
  id: string;
  clientId: string;
  /** The states that it may leave. */
  from: readonly CommandState[];
  /** The attempt that it is of; null is the current one. */
  attempt: number | null;
  to: CommandState;
  /** Whether the attempt has begun, also where no start was said. */
  began: boolean;
  /** Only where no other attempt may follow it. */
  final: boolean;
  result?: object;
  /** The whole body that the agent sent. */
  said?: object;
  errorMessage?: string | null;
  /** For the history. */
  data?: object;
}

/** How a new command was stored, at `createdAt`. */
export interface Stored {
  id: string;
  clientId: string;
  createdAt: Date;
  /** As `dispatched`. */
  handedOut: boolean;
}

/** The columns of a LockedCommand. */
export const LOCKED = `id, client_id AS "clientId", action, status, attempt, max_attempts AS "maxAttempts", reported,
  coalesce(expires_at <= now(), false) AS "isOverdue", (cancel_requested_at IS NOT NULL OR coalesce(expires_at <= now(), false)) AS "isUnwanted"`;

/**
 * SQL on `commands p`: due, and allowed by the rights that its person has now. What was allowed by rights that have changed since waits
 * until it is allowed again.
 */
const CLAIMABLE = `p.phase = 'pending' AND p.due_at <= now() AND (p.expires_at IS NULL OR p.expires_at > now())
  AND p.rights_version = (SELECT u.rights_version FROM users u WHERE u.id = p.authorized_by)`;

/**
 * SQL on `clients c`: online, with due work and a free slot for the best of it; an emergency has one more. The order is that of the index of
 * what waits: no other plan reads less.
 */
export const STARVING = `c.status = 'online'
  AND (SELECT count(*) FROM commands f WHERE f.client_id = c.id AND f.phase = 'open') < c.concurrency + (
    SELECT (p.priority = ${EMERGENCY_PRIORITY})::integer FROM commands p
    WHERE p.client_id = c.id AND ${CLAIMABLE} ORDER BY p.priority DESC, p.id LIMIT 1)`;

/**
 * SQL on `new n`, whose clients are held: it may be stored as handed out, so that no claim has to move it. Its person has the rights by which it was
 * allowed, its client is online and has a slot left (for an emergency, one more), and nothing that waits for it should go before. `place` is its place
 * among those of its client that come with it.
 */
const MAY_GO = `n.due AND n."rightsVersion" = (SELECT u.rights_version FROM users u WHERE u.id = n."createdBy") AND EXISTS (
  SELECT FROM clients c WHERE c.id = n."clientId" AND c.status = 'online'
    AND n.place + (SELECT count(*) FROM commands f WHERE f.client_id = c.id AND f.phase = 'open')
      <= c.concurrency + (n.priority = ${EMERGENCY_PRIORITY})::integer
    AND NOT EXISTS (SELECT FROM commands p WHERE p.client_id = c.id AND p.priority >= n.priority AND ${CLAIMABLE}))`;

/**
 * SQL: `added`, the rows of commands that are stored as `rows` have them, with their history. `goes` says which of them are handed out; behind an
 * OFFSET it is asked once for a row, and not wherever its answer is used.
 */
const storing = (rows: string, goes: string): string => `
  WITH given AS (
    SELECT *, coalesce("notBefore" <= now(), true) AND coalesce("expiresAt" > now(), true) AS due FROM (${rows}) rows
  ), new AS (
    SELECT *, row_number() OVER (PARTITION BY "clientId", due ORDER BY priority DESC, id) AS place FROM given
  ), added AS (
    INSERT INTO commands (id, client_id, batch_id, action, payload, priority, timeout_ms, not_before, due_at, expires_at, max_attempts, created_by,
      authorized_by, rights_version, secret_parameters, sealed_secrets, traceparent, status, revision, dispatched_at, deadline_at)
    SELECT id, "clientId", "batchId", action, payload, priority, "timeoutMs", "notBefore", coalesce("notBefore", now()), "expiresAt", "maxAttempts",
      "createdBy", "createdBy", "rightsVersion", "secretParameters", "sealedSecrets", traceparent,
      CASE WHEN goes THEN 'dispatched' ELSE 'pending' END, CASE WHEN goes THEN 2 ELSE 1 END,
      CASE WHEN goes THEN now() END, CASE WHEN goes THEN now() + make_interval(secs => "timeoutMs" / 1000.0) END
    FROM new n CROSS JOIN LATERAL (SELECT ${goes} AS goes OFFSET 0) decided
    RETURNING id, client_id, revision, created_at
  ), logged AS (
    INSERT INTO command_logs (command_id, revision, event_type, attempt)
    SELECT id, 1, 'created', 1 FROM added UNION ALL SELECT id, 2, 'dispatched', 1 FROM added WHERE revision = 2
  )`;
/** The columns of a Stored, of `added`. */
const STORED = `id, client_id AS "clientId", created_at AS "createdAt", revision = 2 AS "handedOut"`;

/**
 * SQL on `clients`: those of $1 that are there, locked, in an order that lets no two transactions wait for each other. It is written so that the index
 * of the names of all that are there does not fit it: while few are known, reading all of that looks cheaper than a search for each.
 */
const HELD = `id = ANY($1) AND coalesce(deleted_at, 'infinity') = 'infinity' ORDER BY id FOR NO KEY UPDATE`;
/** SQL: seconds since the command was created, or since it was due at first if that was later. */
const WAITED = 'extract(epoch FROM now() - greatest(created_at, not_before))::float8';
const RETRY_BASE_SECONDS = 1;
const RETRY_CAP_SECONDS = 300;

/**
 * What indexes know of a state, as the column `phase` has it: a command that is handed out and one that runs are both `open`, so that a start changes
 * nothing that is indexed. The index that lists the commands of one phase is meant by `phase COLLATE "C"`: no claim may find it.
 */
export const phaseOf = (status: CommandState): string => ((IN_FLIGHT_STATES as readonly CommandState[]).includes(status) ? 'open' : status);

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

  /** Any number of commands for clients that the transaction holds; answers how each was stored. */
  insertAll(commands: readonly NewCommand[]): Statement<Stored> {
    const rows = `SELECT * FROM jsonb_to_recordset($1) AS n (id uuid, "clientId" uuid, "batchId" uuid, action text, payload jsonb, priority smallint,
      "timeoutMs" integer, "notBefore" timestamptz, "expiresAt" timestamptz, "maxAttempts" integer, "createdBy" uuid, "rightsVersion" integer,
      "secretParameters" text[], "sealedSecrets" bytea, traceparent text)`;
    return { text: `${storing(rows, MAY_GO)} SELECT ${STORED} FROM added`, values: [JSON.stringify(commands.map(asRecord))] };
  }

  insertBatch({ id, action, total, createdBy }: { id: string; action: string; total: number; createdBy: string }): Statement<never> {
    return { text: 'INSERT INTO batches (id, action, total, created_by) VALUES ($1, $2, $3, $4)', values: [id, action, total, createdBy] };
  }

  /** Any number of commands that differ only in id and client. All of them wait, unless the transaction holds the clients; answers those that were handed out. */
  insert(command: Omit<NewCommand, 'id' | 'clientId'>, ids: string[], clientIds: string[], areHeld: boolean): Statement<Stored> {
    const rows = `SELECT n.id, n."clientId", $3::uuid AS "batchId", $4 AS action, $5::jsonb AS payload, $6::smallint AS priority, $7::integer AS "timeoutMs",
      $8::timestamptz AS "notBefore", $9::timestamptz AS "expiresAt", $10::integer AS "maxAttempts", $11::uuid AS "createdBy", $12::integer AS "rightsVersion",
      $13::text[] AS "secretParameters", $14::bytea AS "sealedSecrets", $15 AS traceparent FROM unnest($1::uuid[], $2::uuid[]) AS n (id, "clientId")`;
    return {
      text: `${storing(rows, areHeld ? MAY_GO : 'false')} SELECT ${STORED} FROM added WHERE revision = 2`,
      values: [
        ids, clientIds, command.batchId, command.action, JSON.stringify(command.payload), command.priority, command.timeoutMs,
        command.notBefore, command.expiresAt, command.maxAttempts, command.createdBy, command.rightsVersion,
        command.secretParameters, command.sealedSecrets, command.traceparent ?? null,
      ],
    };
  }

  async lock(id: string, transaction: EntityManager): Promise<LockedCommand | undefined> {
    const [row] = await transaction.query<LockedCommand[]>(
      `SELECT ${LOCKED} FROM commands WHERE id = $1 FOR UPDATE`,
      [id],
    );
    return row;
  }

  /** Locks the command, and its client if that was not removed: before it, as a claim does, so that the two never wait for each other. */
  async lockWithClient(id: string, transaction: EntityManager): Promise<(LockedCommand & { hasClient: boolean }) | undefined> {
    const clients = await transaction.query<{ id: string }[]>('SELECT client_id AS id FROM commands WHERE id = $1', [id]);
    const held = await ask(transaction, this.hold(clients.map((client) => client.id)));
    const command = await this.lock(id, transaction);
    return command && { ...command, hasClient: held.length > 0 };
  }

  /**
   * Locks these clients until the end of the transaction: none is removed meanwhile, and a claim in a later statement of it sees what
   * every claimer before has committed.
   */
  hold(clientIds: readonly string[]): Statement<{ id: string }> {
    return { text: `SELECT id FROM clients WHERE ${HELD}`, values: [clientIds] };
  }

  /** The same, and refuses when one of them is not there or was removed. */
  requireAndHold(clientIds: readonly string[]): Statement<never> {
    return {
      text: `WITH held AS MATERIALIZED (SELECT id FROM clients WHERE ${HELD}) SELECT refuse('unknown_client') WHERE (SELECT count(*) FROM held) <> $2`,
      values: [clientIds, clientIds.length],
    };
  }

  /**
   * Claims the best pending commands of those of these clients that are online, all of which the transaction holds; never more than their
   * free slots. It is written so that no plan reads more than each client's own queue, also where nothing is known of how much the tables hold.
   */
  claim(heldClientIds: readonly string[]): Statement<Claimed> {
    return {
      text: `WITH best AS MATERIALIZED (
         SELECT p.id FROM clients c
         CROSS JOIN LATERAL (
           SELECT count(*)::integer AS taken FROM commands f WHERE f.client_id = c.id AND f.phase = 'open'
         ) busy
         CROSS JOIN LATERAL (
           SELECT q.id, q.priority, row_number() OVER (ORDER BY q.priority DESC, q.id) AS place FROM (
             SELECT p.id, p.priority FROM commands p
             WHERE p.client_id = c.id AND ${CLAIMABLE}
             ORDER BY p.priority DESC, p.id LIMIT greatest(c.concurrency + 1 - busy.taken, 0)
           ) q
         ) p
         WHERE c.id = ANY($1) AND c.status = 'online' AND (busy.taken + p.place <= c.concurrency OR p.priority = ${EMERGENCY_PRIORITY})
       ), moved AS (
         UPDATE commands SET status = 'dispatched', dispatched_at = now(), revision = revision + 1,
           deadline_at = now() + make_interval(secs => timeout_ms / 1000.0)
         WHERE id = ANY(ARRAY(SELECT best.id FROM best)) AND status = 'pending'
         RETURNING commands.*, ${WAITED} AS seconds
       ), logged AS (
         INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT id, revision, 'dispatched', attempt FROM moved
       )
       SELECT ${OUTSTANDING}, c.seconds FROM moved c ORDER BY c.priority DESC, c.id`,
      values: [heldClientIds],
    };
  }

  /** Of these clients, those online that have due work and a free slot. */
  async starving(clientIds: readonly string[], on: Queries): Promise<string[]> {
    const rows = await on.query<{ id: string }[]>(`SELECT c.id FROM clients c WHERE c.id = ANY($1) AND ${STARVING}`, [clientIds]);
    return rows.map(({ id }) => id);
  }

  /** Moves a locked command; the caller has checked that the move is legal, and the database checks it again. */
  async move(command: LockedCommand, to: CommandState, set: Record<string, unknown>, data: object, transaction: EntityManager): Promise<void> {
    if (command.status !== to && !isLegalMove(command.status, to)) throw new Error(`illegal move ${command.status} -> ${to}`);
    const ended = (END_STATES as readonly CommandState[]).includes(to);
    const columns: Record<string, unknown> = { ...set, status: to };
    const names = Object.keys(columns);
    const assignments = names.map((name, index) => `${name} = $${index + 6}`);
    if (to === 'running') assignments.push('started_at = now()');
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

  /** Makes all of these moves; refuses when one of them does not fit what its command is. The key that an agent speaks with is looked at by the caller. */
  moveAll(moves: readonly Move[]): Statement<Moved> {
    return {
      text: `WITH moved AS (
         UPDATE commands c SET status = n."to", revision = c.revision + 1,
           started_at = CASE WHEN n."to" = 'running' THEN now() WHEN n.began THEN coalesce(c.started_at, now()) ELSE c.started_at END,
           completed_at = CASE WHEN n."to" = 'running' THEN NULL ELSE now() END,
           result = n.result, error_message = n."errorMessage",
           reported = CASE WHEN n.said IS NOT NULL THEN jsonb_build_object('attempt', c.attempt, 'body', n.said) ELSE c.reported END
         FROM jsonb_to_recordset($1) AS n (id uuid, "clientId" uuid, "from" text[], attempt integer, "to" text, began boolean, final boolean, result jsonb, said jsonb,
           "errorMessage" text, data jsonb)
         WHERE c.id = n.id AND c.client_id = n."clientId" AND c.status = ANY(n."from") AND c.attempt = coalesce(n.attempt, c.attempt)
           AND (NOT n.final OR c.attempt >= c.max_attempts)
           AND (n."to" <> 'running' OR c.expires_at IS NULL OR c.expires_at > now())
         RETURNING c.id, c.revision, c.attempt, c.status, c.action, ${WAITED} AS seconds, n.data
       ), logged AS (
         INSERT INTO command_logs (command_id, revision, event_type, attempt, data)
         SELECT id, revision, status, attempt, coalesce(data, '{}') FROM moved
       )
       SELECT action, status, seconds FROM moved
       UNION ALL SELECT refuse('not_as_foreseen'), NULL, NULL WHERE (SELECT count(*) FROM moved) <> $2`,
      values: [JSON.stringify(moves), moves.length],
    };
  }

  /**
   * Starts a new attempt after `delay` seconds; by itself, or because somebody asks for it, who then answers for it. Where their rights have
   * changed since they were looked at, they are doubted anew: the doubt of that change may have been put aside while the last attempt ran.
   */
  async retry(command: LockedCommand, delay: number, by: Person | null, transaction: EntityManager): Promise<void> {
    await transaction.query(
      `WITH moved AS (
         UPDATE commands SET status = 'pending', attempt = attempt + 1, max_attempts = greatest(max_attempts, attempt + 1),
           revision = revision + 1, due_at = now() + make_interval(secs => $4), deadline_at = NULL, expires_at = CASE WHEN expires_at <= now() THEN NULL ELSE expires_at END,
           dispatched_at = NULL, started_at = NULL, cancel_requested_at = NULL, completed_at = NULL, result = NULL, error_message = NULL,
           authorized_by = coalesce($6, authorized_by), rights_version = coalesce($7, rights_version)
         WHERE id = $1 AND status = $2 AND attempt = $3 RETURNING id, revision, attempt, authorized_by, rights_version
       ), doubted AS (
         UPDATE users u SET rights_doubted = true, rights_changed_at = now() FROM moved m
         WHERE u.id = m.authorized_by AND u.rights_version <> m.rights_version
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

  /** Whether the command, just failed or timed out, is to be tried again by itself; then it is put back. Never against a cancel, or beyond `expiresAt`. */
  async retryIfDue(command: LockedCommand, certain: boolean, transaction: EntityManager): Promise<boolean> {
    const safe = certain || ACTIONS[command.action]?.idempotent === true;
    if (!safe || command.isUnwanted || command.attempt >= command.maxAttempts) return false;
    const backoff = Math.min(RETRY_BASE_SECONDS * 2 ** (command.attempt - 1), RETRY_CAP_SECONDS);
    await this.retry(command, backoff * (0.5 + Math.random() / 2), null, transaction);
    return true;
  }

  /** `since` is an instant of PostgreSQL's: `isNewer` is what was started after it. */
  async inFlight(clientId: string, since: string, transaction: EntityManager): Promise<(LockedCommand & { isNewer: boolean })[]> {
    return transaction.query(
      `SELECT ${LOCKED}, coalesce(started_at > $2::timestamptz, false) AS "isNewer" FROM commands
       WHERE client_id = $1 AND phase = 'open' ORDER BY id FOR UPDATE`,
      [clientId, since],
    );
  }

  /** Of these commands of the client's, those whose verdict is provisional: the agent may still settle the same attempt. */
  async provisional(clientId: string, ids: string[], transaction: EntityManager): Promise<{ id: string; attempt: number }[]> {
    return transaction.query(
      `SELECT id, attempt FROM commands WHERE client_id = $1 AND id = ANY($2) AND status IN ('timed_out', 'indeterminate')`,
      [clientId, ids],
    );
  }
}
