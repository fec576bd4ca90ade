import type { AlertChannel, AlertCondition, AlertSubject } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import type { Queries } from '../core/database/queries';
import { Bus } from '../core/events/bus.service';

/** A rule as the watchman sees it. */
export interface WatchedRule {
  id: string;
  name: string;
  condition: AlertCondition;
  channels: string[];
}

export interface Finding {
  subjectType: AlertSubject['type'];
  subjectId: string;
  subjectName: string;
  clientId: string | null;
  detail: Record<string, unknown>;
  /** Of a failed command: with it, the alert is over when it is told. */
  attempt?: number;
}

/** Ids of what is new or changed, to be announced after the commit. */
export interface AlertNews {
  alerts: string[];
  deliveries: string[];
}

/** SQL: a time as it is told, ISO 8601 in UTC. */
export const utc = (column: string): string => `to_char(${column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** How often a delivery is tried before it fails, and again when somebody asks for it. */
export const TRIES = 8;

/**
 * The only writer of alerts. What fires or resolves is written in one statement with its deliveries, so that none is without the other; one
 * rule fires once for one subject while it is open, and once for one failure: the database sees to it.
 */
@Injectable()
export class AlertStore {
  constructor(private readonly bus: Bus) {}

  async fire(rule: WatchedRule, findings: readonly Finding[], transaction: Queries): Promise<AlertNews> {
    if (findings.length === 0) return { alerts: [], deliveries: [] };
    return this.change(
      transaction,
      `WITH fired AS (
         INSERT INTO alerts (rule_id, rule_name, kind, subject_type, subject_id, subject_name, client_id, attempt, detail, resolved_at)
         SELECT $1, $2, $3, n."subjectType", n."subjectId", n."subjectName", n."clientId", n.attempt, n.detail, CASE WHEN n.attempt IS NOT NULL THEN now() END
         FROM jsonb_to_recordset($4) AS n ("subjectType" text, "subjectId" uuid, "subjectName" text, "clientId" uuid, attempt integer, detail jsonb)
         ON CONFLICT DO NOTHING RETURNING id
       ), ordered AS (
         INSERT INTO alert_deliveries (alert_id, channel_id, news, attempts_allowed)
         SELECT fired.id, channel, 'firing', ${TRIES} FROM fired CROSS JOIN unnest($5::uuid[]) AS channel RETURNING id
       )
       SELECT ARRAY(SELECT id FROM fired) AS alerts, ARRAY(SELECT id FROM ordered) AS deliveries`,
      [rule.id, rule.name, rule.condition.kind, JSON.stringify(findings), rule.channels],
    );
  }

  /** Ends the open ones of the rule, or of these only; whoever heard that they fired hears that they are over. */
  resolve(ruleId: string, alertIds: readonly string[] | null, transaction: Queries): Promise<AlertNews> {
    return this.change(
      transaction,
      `WITH over AS (
         UPDATE alerts SET resolved_at = now() WHERE rule_id = $1 AND resolved_at IS NULL AND ($2::uuid[] IS NULL OR id = ANY($2)) RETURNING id
       ), ordered AS (
         INSERT INTO alert_deliveries (alert_id, channel_id, news, attempts_allowed)
         SELECT d.alert_id, d.channel_id, 'resolved', ${TRIES} FROM over JOIN alert_deliveries d ON d.alert_id = over.id AND d.news = 'firing' RETURNING id
       )
       SELECT ARRAY(SELECT id FROM over) AS alerts, ARRAY(SELECT id FROM ordered) AS deliveries`,
      [ruleId, alertIds],
    );
  }

  /** Tells whoever watches; never before the commit. */
  announce({ alerts, deliveries }: AlertNews): void {
    if (alerts.length > 0) this.bus.publish('alerts', { ids: alerts });
    if (deliveries.length > 0) this.bus.publish('deliveries', { ids: deliveries });
  }

  /** Drops what is over for so many days, and what was told of it. */
  async forget(days: number, atMost: number, on: Queries): Promise<void> {
    await on.query(`DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE resolved_at < now() - make_interval(days => $1) LIMIT $2)`, [days, atMost]);
    const tests = `news = 'test' AND state <> 'pending' AND due_at < now() - make_interval(days => $1)`;
    await on.query(`DELETE FROM alert_deliveries WHERE ${tests}`, [days]);
  }

  private async change(transaction: Queries, sql: string, values: unknown[]): Promise<AlertNews> {
    const [news] = await transaction.query<AlertNews[]>(sql, values);
    return news ?? { alerts: [], deliveries: [] };
  }
}

/** What a channel needs to be reached. */
export interface Address {
  id: string;
  kind: AlertChannel['kind'];
  url: string | null;
  addresses: string[] | null;
  secret: Buffer | null;
}
