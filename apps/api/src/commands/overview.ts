import type { CommandState } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import type { Person } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { RbacService } from '../rbac/rbac.service';

export interface Overview {
  at: Date;
  clients: { online: number; offline: number };
  commands: {
    /** What is open now. */
    byState: Record<'pending' | 'dispatched' | 'running', number>;
    /** What ended in each span of time, or was created in it and is still open; oldest first. */
    ended: ({ from: Date; to: Date } & Record<CommandState, number>)[];
  };
  /** Commands completed or failed a minute, over the last five. */
  throughput: { perMinute: number };
  /** Milliseconds from creation to start, and from start to end, of what ended lately; null when nothing did. */
  latency: { waitingMs: Percentiles | null; runningMs: Percentiles | null };
  failedLately: FailedCommand[];
  /** Clients for which something waits, the one that waits longest first. */
  waiting: { clientId: string; clientName: string; status: 'online' | 'offline'; pending: number; oldestAt: Date }[];
}
interface Percentiles {
  p50: number;
  p95: number;
}
interface FailedCommand {
  id: string;
  clientId: string;
  clientName: string;
  action: string;
  status: CommandState;
  errorMessage: string | null;
  completedAt: Date | null;
}

/** An overview of a busy system says what became of so many of the newest commands; what is older is not counted. */
const NEWEST = 100_000;
const SPANS = 24;
const LISTED = 10;
const HOUR_MS = 3_600_000;
const LATELY_MS = 300_000;
/** What ended in a period is looked for among the commands created since so long before it. */
const WAITED_MS = 24 * HOUR_MS;
/** Callers who see the same get the same answer for so long: a wall of consoles costs no more than one. */
const FRESH_MS = 1_000;
const STATES: readonly CommandState[] = ['pending', 'dispatched', 'running', 'completed', 'failed', 'cancelled', 'expired', 'timed_out', 'indeterminate'];
const UNHAPPY: readonly CommandState[] = ['failed', 'timed_out', 'indeterminate', 'expired'];

/** Sums up what a person may see: how many, how fast, what failed, what waits. */
@Injectable()
export class OverviewReader {
  private readonly answers = new Map<string, { until: number; overview: Promise<Overview> }>();

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly rbac: RbacService,
  ) {}

  read(hours: number, who: Person): Promise<Overview> {
    const sees = this.rbac.isEverywhere(who, 'commands.read') && this.rbac.isEverywhere(who, 'clients.read') ? 'everywhere' : `${who.id} ${who.rightsVersion}`;
    const key = `${sees} ${hours} ${who.permissions.join()}`;
    const now = performance.now();
    for (const [other, { until }] of this.answers) if (until < now) this.answers.delete(other);
    let answer = this.answers.get(key);
    if (!answer) {
      answer = { until: now + FRESH_MS, overview: this.sumUp(hours, who) };
      this.answers.set(key, answer);
    }
    return answer.overview;
  }

  private async sumUp(hours: number, who: Person): Promise<Overview> {
    const at = new Date();
    const since = new Date(at.getTime() - hours * HOUR_MS);
    const [clients, byState, ended, speed, failedLately, waiting] = await Promise.all([
      this.clients(who), this.open(who), this.ended(since, at, who), this.speed(at, who), this.failed(since, who), this.waiting(who),
    ]);
    return { at, clients, commands: { byState, ended }, ...speed, failedLately, waiting };
  }

  private async clients(who: Person): Promise<Overview['clients']> {
    const conditions = new Conditions().and('c.deleted_at IS NULL');
    this.rbac.narrowToClients(conditions, who, 'clients.read', 'c.id');
    const rows = await this.database.query<{ status: 'online' | 'offline'; count: number }[]>(
      `SELECT c.status, count(*)::integer AS count FROM clients c WHERE ${conditions.sql} GROUP BY c.status`, conditions.values,
    );
    return { online: 0, offline: 0, ...Object.fromEntries(rows.map(({ status, count }) => [status, count])) };
  }

  private async open(who: Person): Promise<Overview['commands']['byState']> {
    const conditions = this.commands(who).and(`c.phase COLLATE "C" IN ('pending', 'open')`);
    const rows = await this.database.query<{ status: CommandState; count: number }[]>(
      `SELECT c.status, count(*)::integer AS count FROM commands c WHERE ${conditions.sql} GROUP BY c.status`, conditions.values,
    );
    return { pending: 0, dispatched: 0, running: 0, ...Object.fromEntries(rows.map(({ status, count }) => [status, count])) };
  }

  private async ended(since: Date, at: Date, who: Person): Promise<Overview['commands']['ended']> {
    const span = (at.getTime() - since.getTime()) / SPANS;
    const conditions = this.commands(who).and('coalesce(c.completed_at, c.created_at) >= ?', since);
    const [from, to, spans] = [since, at, SPANS].map((value) => conditions.bind('?', value));
    const rows = await this.database.query<{ span: number; status: CommandState; count: number }[]>(
      `SELECT width_bucket(extract(epoch FROM coalesce(c.completed_at, c.created_at)), extract(epoch FROM ${from}::timestamptz), extract(epoch FROM ${to}::timestamptz), ${spans}::integer) AS span,
         c.status, count(*)::integer AS count
       FROM ${this.newest(since, conditions)} c WHERE ${conditions.sql} GROUP BY 1, 2`,
      conditions.values,
    );
    return Array.from({ length: SPANS }, (_, index) => {
      // What came while this was read belongs to the last span.
      const own = rows.filter((row) => Math.min(row.span, SPANS) === index + 1);
      const count = (status: CommandState): number => own.filter((row) => row.status === status).reduce((sum, row) => sum + row.count, 0);
      const begin = since.getTime() + index * span;
      return {
        from: new Date(begin),
        to: new Date(begin + span),
        ...(Object.fromEntries(STATES.map((status) => [status, count(status)])) as Record<CommandState, number>),
      };
    });
  }

  private async speed(at: Date, who: Person): Promise<Pick<Overview, 'throughput' | 'latency'>> {
    const since = new Date(at.getTime() - LATELY_MS);
    const conditions = this.commands(who).and(`c.status IN ('completed', 'failed') AND c.completed_at >= ?`, since);
    // A result without a start says both at once, and nothing of how long it ran.
    const percentiles = (span: string): string => `percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM ${span}) * 1000)`;
    const [row] = await this.database.query<{ ended: number; waiting: number[] | null; running: number[] | null }[]>(
      `SELECT count(*)::integer AS ended, ${percentiles('coalesce(c.started_at, c.completed_at) - greatest(c.created_at, c.not_before)')} AS waiting,
         ${percentiles(`nullif(c.completed_at - c.started_at, interval '0')`)} AS running
       FROM ${this.newest(since, conditions)} c WHERE ${conditions.sql}`,
      conditions.values,
    );
    const rounded = (values: number[] | null | undefined): Percentiles | null => {
      const [p50, p95] = (values ?? []).filter((value) => value !== null).map((value) => Math.round(value * 10) / 10);
      return p50 === undefined || p95 === undefined ? null : { p50, p95 };
    };
    return {
      throughput: { perMinute: (row?.ended ?? 0) / (LATELY_MS / 60_000) },
      latency: { waitingMs: rounded(row?.waiting), runningMs: rounded(row?.running) },
    };
  }

  private async failed(since: Date, who: Person): Promise<FailedCommand[]> {
    const conditions = this.commands(who);
    const first = conditions.bind('?', firstIdAt(since));
    const rows = await this.database.query<FailedCommand[]>(
      `SELECT f.id, f.client_id AS "clientId", m.name AS "clientName", f.action, f.status, f.error_message AS "errorMessage", f.completed_at AS "completedAt"
       FROM unnest('{${UNHAPPY.join()}}'::text[]) AS unhappy (phase) CROSS JOIN LATERAL (
         SELECT c.* FROM commands c WHERE c.phase COLLATE "C" = unhappy.phase AND c.id >= ${first} AND ${conditions.sql} ORDER BY c.id DESC LIMIT ${LISTED}
       ) f JOIN clients m ON m.id = f.client_id ORDER BY f.completed_at DESC NULLS LAST LIMIT ${LISTED}`,
      conditions.values,
    );
    return rows;
  }

  private waiting(who: Person): Promise<Overview['waiting']> {
    const conditions = this.commands(who).and(`c.phase = 'pending'`);
    return this.database.query<Overview['waiting']>(
      `SELECT w.client_id AS "clientId", m.name AS "clientName", m.status, w.pending, w.oldest_at AS "oldestAt"
       FROM (SELECT c.client_id, count(*)::integer AS pending, min(c.created_at) AS oldest_at
             FROM commands c WHERE ${conditions.sql} GROUP BY c.client_id ORDER BY oldest_at LIMIT ${LISTED}) w
       JOIN clients m ON m.id = w.client_id ORDER BY w.oldest_at`,
      conditions.values,
    );
  }

  private commands(who: Person): Conditions {
    const conditions = new Conditions();
    this.rbac.narrowToCommands(conditions, who, 'commands.read', 'c.client_id', 'c.action');
    return conditions;
  }

  private newest(since: Date, conditions: Conditions): string {
    const first = firstIdAt(new Date(since.getTime() - WAITED_MS));
    return conditions.bind(`(SELECT * FROM commands n WHERE n.id >= ? ORDER BY n.id DESC LIMIT ${NEWEST})`, first);
  }
}

/** The lowest UUIDv7 (RFC 9562) of that millisecond: ids are in the order of creation. */
function firstIdAt(time: Date): string {
  const milliseconds = time.getTime().toString(16).padStart(12, '0');
  return `${milliseconds.slice(0, 8)}-${milliseconds.slice(8)}-7000-8000-000000000000`;
}
