import type { Alert, AlertDelivery } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { Conflict, NotFound } from '../core/errors/errors';
import type { Change } from '../core/events/news-sources';
import { page, type Page } from '../core/http/page.dto';
import { RbacService } from '../rbac/rbac.service';
import { AlertStore, TRIES } from './alert-store';
import type { ListAlertsDto, ListDeliveriesDto } from './alerts.dto';

const ALERT = `a.id, a.kind, jsonb_build_object('id', a.rule_id, 'name', a.rule_name) AS rule,
  jsonb_build_object('type', a.subject_type, 'id', a.subject_id, 'name', a.subject_name) AS subject, a.detail, a.fired_at AS "firedAt", a.resolved_at AS "resolvedAt"`;
const DELIVERY = `d.id, d.news, CASE WHEN a.id IS NOT NULL THEN jsonb_build_object('id', a.id, 'rule', a.rule_name, 'subject', a.subject_name) END AS alert, coalesce(a.count, 0) AS count,
  jsonb_build_object('id', h.id, 'name', h.name, 'kind', h.kind) AS channel, d.state, d.attempts, d.last_error AS "lastError",
  d.created_at AS "createdAt", CASE WHEN d.state = 'pending' THEN d.due_at END AS "dueAt", d.delivered_at AS "deliveredAt"`;

/** With the first alert of each, and how many there are. */
const DELIVERIES = `alert_deliveries d JOIN alert_channels h ON h.id = d.channel_id LEFT JOIN LATERAL (
  SELECT a.id, a.rule_name, a.subject_name, count(*) OVER ()::integer AS count
  FROM alert_delivery_items i JOIN alerts a ON a.id = i.alert_id WHERE i.delivery_id = d.id ORDER BY a.id LIMIT 1
) a ON true`;
const revisionOf = (table: string): string => `${table}.changed_xid::text::float8 AS revision`;

/** Lists what fired, to each as far as their reach goes, and what became of the news of it. */
@Injectable()
export class AlertReader {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly rbac: RbacService,
    private readonly audit: AuditService,
    private readonly store: AlertStore,
  ) {}

  /** What is about all clients of a rule is for those who may see all clients. */
  async list({ state, ruleId, deliveryId, cursor, limit }: ListAlertsDto, who: Person): Promise<Page<Alert>> {
    const conditions = new Conditions([limit + 1])
      .given('a.rule_id = ?', ruleId)
      .given('a.id IN (SELECT alert_id FROM alert_delivery_items WHERE delivery_id = ?)', deliveryId)
      .given('a.id < ?', cursor);
    if (state) conditions.and(`a.resolved_at IS ${state === 'open' ? '' : 'NOT '}NULL`);
    this.narrow(conditions, who);
    const rows = await this.database.query<Alert[]>(`SELECT ${ALERT} FROM alerts a WHERE ${conditions.sql} ORDER BY a.id DESC LIMIT $1`, conditions.values);
    return page(rows, limit);
  }

  async deliveries({ state, channelId, alertId, cursor, limit }: ListDeliveriesDto): Promise<Page<AlertDelivery>> {
    const conditions = new Conditions([limit + 1])
      .given('d.state = ?', state)
      .given('d.channel_id = ?', channelId)
      .given('EXISTS (SELECT FROM alert_delivery_items i WHERE i.delivery_id = d.id AND i.alert_id = ?)', alertId)
      .given('d.id < ?', cursor);
    const rows = await this.database.query<AlertDelivery[]>(
      `SELECT ${DELIVERY} FROM ${DELIVERIES} WHERE ${conditions.sql} ORDER BY d.id DESC LIMIT $1`, conditions.values,
    );
    return page(rows, limit);
  }

  /** Those of these alerts that the person may see, as they are now. */
  news(ids: readonly string[], who: Person): Promise<(Alert & Change)[]> {
    const conditions = new Conditions().and('a.id = ANY(?)', ids);
    this.narrow(conditions, who);
    return this.database.query(`SELECT ${ALERT}, ${revisionOf('a')} FROM alerts a WHERE ${conditions.sql} ORDER BY a.id`, conditions.values);
  }

  /** These deliveries, as they are now; they are for those whose permission holds everywhere. */
  async deliveryNews(ids: readonly string[], who: Person): Promise<(AlertDelivery & Change)[]> {
    if (!who.everywhere.includes('alerts.read')) return [];
    return this.database.query(`SELECT ${DELIVERY}, ${revisionOf('d')} FROM ${DELIVERIES} WHERE d.id = ANY($1) ORDER BY d.id`, [ids]);
  }

  /** Which of them changed from this point in PostgreSQL's order of transactions on. */
  changedSince(table: 'alerts' | 'alert_deliveries', point: string, atMost: number): Promise<Change[]> {
    return this.database.query(`SELECT id, ${revisionOf('t')} FROM ${table} t WHERE changed_xid >= $1::text::xid8 LIMIT $2`, [point, atMost]);
  }

  /** Has a failed delivery tried again, as often as a new one. Whoever calls this wakes the postman afterwards. */
  async retry(id: string, by: Person): Promise<void> {
    await this.database.transaction(async (transaction) => {
      const [delivery] = isUuid(id)
        ? await transaction.query<{ state: string; channelId: string }[]>('SELECT state, channel_id AS "channelId" FROM alert_deliveries WHERE id = $1 FOR UPDATE', [id])
        : [];
      if (!delivery) throw new NotFound('delivery');
      if (delivery.state !== 'failed') throw new Conflict('not_retryable', `The delivery is ${delivery.state}: only a failed one can be tried again`);
      await transaction.query(`UPDATE alert_deliveries SET state = 'pending', due_at = now(), attempts_allowed = attempts + ${TRIES} WHERE id = $1`, [id]);
      const detail = { channelId: delivery.channelId };
      await this.audit.record({ by, action: 'alerts.retry_delivery', target: { type: 'alert_delivery', id }, outcome: 'done', detail }, transaction);
    });
    this.store.announce({ alerts: [], deliveries: [id] });
  }

  /** What is about a command is for those whose reach has its action, too. */
  private narrow(conditions: Conditions, who: Person): void {
    this.rbac.narrowToCommands(conditions, who, 'alerts.read', 'a.client_id', `(a.detail->>'action')`);
  }
}
