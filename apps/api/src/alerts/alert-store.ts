import type { AlertChannel, AlertCondition, AlertSubject } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { Config } from '../core/config/config';
import type { Queries } from '../core/database/queries';
import { Bus } from '../core/events/bus.service';

/** A rule as the watchman sees it. */
export interface WatchedRule {
  id: string;
  name: string;
  condition: AlertCondition;
  channels: string[];
  /** The snapshot of PostgreSQL that it began with: what was to be seen in it does not count. */
  past: string;
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
 * SQL, after `told (alert_id, channel_id)`: what there is to tell goes into the delivery of the rule that waits for its first try, or into a
 * new one. That is due at once when the channel has not heard of the rule lately, and never before the start of what it says is over.
 */
const gathered = (news: 'firing' | 'resolved'): string => `
  waiting AS (
    UPDATE alert_deliveries SET due_at = due_at
    WHERE rule_id = $1 AND news = '${news}' AND state = 'pending' AND attempts = 0 AND channel_id IN (SELECT channel_id FROM told) RETURNING id, channel_id
  ), ordered AS (
    INSERT INTO alert_deliveries (rule_id, channel_id, news, attempts_allowed, due_at, gathers_until)
    SELECT $1, channel_id, '${news}', ${TRIES}, due, due FROM (SELECT DISTINCT channel_id FROM told) t CROSS JOIN LATERAL (
      SELECT greatest(
        now(),
        max(d.gathers_until) FILTER (WHERE d.news = '${news}') + make_interval(secs => $2),
        max(d.gathers_until) FILTER (WHERE d.news = 'firing' AND d.attempts = 0)
      ) AS due
      FROM alert_deliveries d WHERE d.rule_id = $1 AND d.channel_id = t.channel_id
        AND d.gathers_until > now() - make_interval(secs => $2)
    ) window_of_channel
    WHERE channel_id NOT IN (SELECT channel_id FROM waiting) RETURNING id, channel_id
  ), carried AS (
    INSERT INTO alert_delivery_items (alert_id, channel_id, news, delivery_id)
    SELECT told.alert_id, told.channel_id, '${news}', d.id
    FROM told JOIN (SELECT id, channel_id FROM waiting UNION ALL SELECT id, channel_id FROM ordered) d ON d.channel_id = told.channel_id
    RETURNING delivery_id
  )`;

/**
 * The only writer of alerts. What fires or resolves is written in one statement with what there is to tell of it, so that none is without
 * the other; one rule fires once for one subject while it is open, and once for one failure: the database sees to it.
 */
@Injectable()
export class AlertStore {
  constructor(
    private readonly bus: Bus,
    private readonly config: Config,
  ) {}

  async fire(rule: WatchedRule, findings: readonly Finding[], transaction: Queries): Promise<AlertNews> {
    if (findings.length === 0) return { alerts: [], deliveries: [] };
    return this.change(
      transaction,
      `WITH fired AS (
         INSERT INTO alerts (rule_id, rule_name, kind, subject_type, subject_id, subject_name, client_id, attempt, detail, resolved_at)
         SELECT $1, $3, $4, n."subjectType", n."subjectId", n."subjectName", n."clientId", n.attempt, n.detail, CASE WHEN n.attempt IS NOT NULL THEN now() END
         FROM jsonb_to_recordset($5) AS n ("subjectType" text, "subjectId" uuid, "subjectName" text, "clientId" uuid, attempt integer, detail jsonb)
         ON CONFLICT DO NOTHING RETURNING id
       ), told AS (SELECT fired.id AS alert_id, channel_id FROM fired CROSS JOIN unnest($6::uuid[]) AS channel_id), ${gathered('firing')}
       SELECT ARRAY(SELECT id FROM fired) AS alerts, ARRAY(SELECT DISTINCT delivery_id FROM carried) AS deliveries`,
      [rule.id, this.gatherSeconds, rule.name, rule.condition.kind, JSON.stringify(findings), rule.channels],
    );
  }

  /** Ends the open ones of the rule, or of these only; whoever heard that they fired hears that they are over. */
  resolve(ruleId: string, alertIds: readonly string[] | null, transaction: Queries): Promise<AlertNews> {
    return this.change(
      transaction,
      `WITH over AS (
         UPDATE alerts SET resolved_at = now() WHERE rule_id = $1 AND resolved_at IS NULL AND ($3::uuid[] IS NULL OR id = ANY($3)) RETURNING id
       ), told AS (SELECT i.alert_id, i.channel_id FROM over JOIN alert_delivery_items i ON i.alert_id = over.id AND i.news = 'firing'), ${gathered('resolved')}
       SELECT ARRAY(SELECT id FROM over) AS alerts, ARRAY(SELECT DISTINCT delivery_id FROM carried) AS deliveries`,
      [ruleId, this.gatherSeconds, alertIds],
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
    await on.query(
      `DELETE FROM alert_deliveries WHERE id IN (
         SELECT id FROM alert_deliveries d WHERE created_at < now() - make_interval(days => $1)
           AND NOT EXISTS (SELECT FROM alert_delivery_items i WHERE i.delivery_id = d.id) LIMIT $2
       )`,
      [days, atMost],
    );
  }

  private get gatherSeconds(): number {
    return this.config.ALERT_GATHER_MS / 1000;
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
