import type { AlertCondition, AlertScope, CommandState } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { Conditions } from '../core/database/conditions';
import type { Queries } from '../core/database/queries';
import { type Finding, utc, type WatchedRule } from './alert-store';

export interface Verdict {
  fires: Finding[];
  /** Ids of the open alerts that are over. */
  resolves: string[];
  /** From which point of the history the rule looks on. */
  toldBelow: string;
}

type Of<Kind extends AlertCondition['kind']> = Extract<AlertCondition, { kind: Kind }>;

/** At the end of an attempt: it did not do what it should, or nobody knows. */
const FAILURES: readonly CommandState[] = ['failed', 'timed_out', 'indeterminate'];
const ENDS: readonly CommandState[] = ['completed', ...FAILURES];
/** Findings of one look: what is left is found at the next. */
const AT_ONCE = 500;

/** SQL on `command_logs l`: an end that no automatic retry took back in the same transaction. */
const STAYED = `NOT EXISTS (SELECT FROM command_logs r WHERE r.command_id = l.command_id AND r.revision = l.revision + 1 AND r.event_type = 'retry' AND r.xid = l.xid)`;

/**
 * Looks, from PostgreSQL alone, at what a rule waits for. The history of commands is read in PostgreSQL's order of transactions, up to the
 * oldest that is open: whatever commits late is read later, nothing is skipped, and nothing is read twice. It changes nothing but tallies.
 */
@Injectable()
export class Judge {
  /** `toldBelow` is where the last look ended. */
  async look(rule: WatchedRule, toldBelow: string, on: Queries): Promise<Verdict> {
    const { condition } = rule;
    const [point] = await on.query<{ horizon: string }[]>('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS horizon');
    const horizon = point?.horizon ?? toldBelow;
    switch (condition.kind) {
      case 'client_offline':
        return { ...(await this.offline(rule, condition, on)), toldBelow: horizon };
      case 'command_failed':
        return this.failures(rule, condition, toldBelow, horizon, on);
      case 'backlog':
        return { ...(await this.backlog(rule, condition, on)), toldBelow: horizon };
      case 'error_rate':
        return { ...(await this.errorRate(rule, condition, toldBelow, horizon, on)), toldBelow: horizon };
    }
  }

  /** Counted from when the server could see clients at all: its own outage is none of theirs. Who never came is not gone. */
  private async offline(rule: WatchedRule, condition: Of<'client_offline'>, on: Queries): Promise<Omit<Verdict, 'toldBelow'>> {
    const gone = scoped(condition)
      .and(`c.status = 'offline' AND c.offline_since <= now() - make_interval(mins => ?)`, condition.minutes)
      .and('(SELECT min(started_at) FROM gateways) <= now() - make_interval(mins => ?)', condition.minutes)
      .and('NOT EXISTS (SELECT FROM alerts a WHERE a.rule_id = ? AND a.subject_id = c.id AND a.resolved_at IS NULL)', rule.id);
    const fires = await on.query<Finding[]>(
      `SELECT 'client' AS "subjectType", c.id AS "subjectId", c.name AS "subjectName", c.id AS "clientId",
         jsonb_build_object('offlineSince', ${utc('c.offline_since')}, 'minutes', ${gone.bind('?::integer', condition.minutes)}) AS detail
       FROM clients c WHERE ${gone.sql} LIMIT ${AT_ONCE}`,
      gone.values,
    );
    const still = scoped(condition).and(`c.status = 'offline'`);
    const over = await on.query<{ id: string }[]>(
      `SELECT a.id FROM alerts a WHERE a.rule_id = ${still.bind('?', rule.id)} AND a.resolved_at IS NULL
         AND NOT EXISTS (SELECT FROM clients c WHERE c.id = a.subject_id AND ${still.sql}) LIMIT ${AT_ONCE}`,
      still.values,
    );
    return { fires, resolves: over.map(({ id }) => id) };
  }

  private async failures(rule: WatchedRule, condition: Of<'command_failed'>, from: string, to: string, on: Queries): Promise<Verdict> {
    const conditions = history(rule, condition, from, to, FAILURES);
    // All failures of one transaction together: the next look begins behind a whole one.
    const rows = await on.query<(Finding & { xid: string })[]>(
      `SELECT 'command' AS "subjectType", m.id AS "subjectId", m.action || ' @ ' || c.name AS "subjectName", c.id AS "clientId", l.attempt,
         jsonb_build_object('action', m.action, 'client', c.name, 'outcome', l.event_type, 'attempt', l.attempt, 'failedAt', ${utc('l.created_at')},
           'error', CASE WHEN m.attempt = l.attempt THEN left(m.error_message, 500) END) AS detail,
         ((l.xid::text)::numeric + 1)::text AS xid
       FROM command_logs l JOIN commands m ON m.id = l.command_id JOIN clients c ON c.id = m.client_id
       WHERE ${conditions.sql} ORDER BY l.xid FETCH FIRST ${AT_ONCE} ROWS WITH TIES`,
      conditions.values,
    );
    return { fires: rows.map(({ xid: _, ...finding }) => finding), resolves: [], toldBelow: rows.length < AT_ONCE ? to : (rows.at(-1)?.xid ?? to) };
  }

  private async backlog(rule: WatchedRule, condition: Of<'backlog'>, on: Queries): Promise<Omit<Verdict, 'toldBelow'>> {
    const conditions = scoped(condition).and(`m.phase = 'pending'`);
    // It is enough to know that there are more.
    const [row] = await on.query<{ count: number }[]>(
      `SELECT count(*)::integer AS count FROM (
         SELECT FROM commands m JOIN clients c ON c.id = m.client_id WHERE ${conditions.sql} LIMIT ${conditions.bind('?::integer', condition.over + 1)}
       ) waiting`,
      conditions.values,
    );
    return this.whole(rule, (row?.count ?? 0) > condition.over, { over: condition.over }, on);
  }

  private async errorRate(
    rule: WatchedRule, condition: Of<'error_rate'>, from: string, to: string, on: Queries,
  ): Promise<Omit<Verdict, 'toldBelow'>> {
    const conditions = history(rule, condition, from, to, ENDS);
    await on.query(
      `INSERT INTO alert_tallies (rule_id, minute, ended, failed)
       SELECT ${conditions.bind('?::uuid', rule.id)}, date_trunc('minute', l.created_at), count(*), count(*) FILTER (WHERE l.event_type <> 'completed')
       FROM command_logs l JOIN commands m ON m.id = l.command_id JOIN clients c ON c.id = m.client_id WHERE ${conditions.sql} GROUP BY 2
       ON CONFLICT (rule_id, minute) DO UPDATE SET ended = alert_tallies.ended + excluded.ended, failed = alert_tallies.failed + excluded.failed`,
      conditions.values,
    );
    await on.query('DELETE FROM alert_tallies WHERE rule_id = $1 AND minute <= now() - make_interval(mins => $2)', [rule.id, condition.minutes]);
    const [row] = await on.query<{ ended: number; failed: number }[]>(
      'SELECT coalesce(sum(ended), 0)::integer AS ended, coalesce(sum(failed), 0)::integer AS failed FROM alert_tallies WHERE rule_id = $1', [rule.id],
    );
    const { ended, failed } = row ?? { ended: 0, failed: 0 };
    const { percent, minutes, atLeast } = condition;
    return this.whole(rule, ended >= atLeast && failed * 100 > ended * percent, { ended, failed, percent, minutes }, on);
  }

  /** For conditions over all clients of the rule at once. */
  private async whole(rule: WatchedRule, holds: boolean, detail: Record<string, unknown>, on: Queries): Promise<Omit<Verdict, 'toldBelow'>> {
    const open = await on.query<{ id: string }[]>('SELECT id FROM alerts WHERE rule_id = $1 AND resolved_at IS NULL', [rule.id]);
    if (!holds) return { fires: [], resolves: open.map(({ id }) => id) };
    const finding: Finding = { subjectType: 'rule', subjectId: rule.id, subjectName: rule.name, clientId: null, detail };
    return { fires: open.length === 0 ? [finding] : [], resolves: [] };
  }
}

/** Conditions on `clients c`. */
function scoped({ group, labels, clientId }: AlertScope): Conditions {
  return new Conditions()
    .and('c.deleted_at IS NULL')
    .given('c.id = ?', clientId)
    .given('c.groups @> ARRAY[?]::text[]', group)
    .given('c.labels @> ?::jsonb', labels && JSON.stringify(labels));
}

/** Conditions on `command_logs l`, `commands m` and `clients c`: what ended like this between two points of the history. */
function history({ past }: WatchedRule, condition: Of<'command_failed' | 'error_rate'>, from: string, to: string, ends: readonly CommandState[]): Conditions {
  return scoped(condition)
    .and('l.xid >= ?::text::xid8 AND l.xid < ?::text::xid8', from, to)
    .and('NOT pg_visible_in_snapshot(l.xid, ?::text::pg_snapshot)', past)
    .and('l.event_type = ANY(?)', ends)
    .and(STAYED)
    .given('m.action = ?', condition.action);
}
