import type { AlertCondition, AlertRule } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import { ClientsService } from '../clients/clients.service';
import type { Person } from '../core/access/access';
import { Conflict, InvalidInput, NotFound, UnknownReference } from '../core/errors/errors';
import { type AlertNews, AlertStore } from './alert-store';
import type { CreateRuleDto, UpdateRuleDto } from './alerts.dto';
import { lockAlerts } from './channel-book';

const MOST_RULES = 100;
const MOST_LABELS = 20;
const VIEW = 'id, name, enabled, condition, channels, created_at AS "createdAt"';

type Row = Omit<AlertRule, 'createdAt'> & { createdAt: Date };

/** The rules: what is watched, and which channels are told. A rule that is changed starts anew; what it had fired is over. */
@Injectable()
export class RuleBook {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
    private readonly clients: ClientsService,
    private readonly store: AlertStore,
  ) {}

  list(): Promise<Row[]> {
    return this.database.query(`SELECT ${VIEW} FROM alert_rules ORDER BY name`);
  }

  async create(input: CreateRuleDto, by: Person): Promise<Row> {
    const condition = await this.settle(input.condition, by);
    const id = uuid();
    return this.database.transaction(async (transaction) => {
      await lockAlerts(transaction);
      await this.requireFreeName(input.name, id, transaction);
      await this.requireChannels(input.channels, transaction);
      const [count] = await transaction.query<{ full: boolean }[]>(`SELECT count(*) >= ${MOST_RULES} AS full FROM alert_rules`);
      if (count?.full) throw new Conflict('too_many_rules', `There are ${MOST_RULES} rules already: remove one first`);
      await transaction.query('INSERT INTO alert_rules (id, name, enabled, condition, channels) VALUES ($1, $2, $3, $4, $5)', [
        id, input.name, input.enabled ?? true, JSON.stringify(condition), input.channels,
      ]);
      const added = await this.find(id, transaction);
      await this.record('alerts.create_rule', id, by, transaction, { after: recorded(added) });
      return added;
    });
  }

  async update(id: string, input: UpdateRuleDto, by: Person): Promise<Row> {
    const condition = input.condition && (await this.settle(input.condition, by));
    const [changed, news] = await this.database.transaction(async (transaction) => {
      await lockAlerts(transaction);
      const before = await this.find(id, transaction);
      if (input.name) await this.requireFreeName(input.name, id, transaction);
      if (input.channels) await this.requireChannels(input.channels, transaction);
      const turned = input.enabled !== undefined && input.enabled !== before.enabled;
      const over = condition || turned ? await this.startAnew(id, transaction) : undefined;
      await transaction.query(
        `UPDATE alert_rules SET name = coalesce($2, name), enabled = coalesce($3, enabled), condition = coalesce($4, condition),
           channels = coalesce($5, channels) WHERE id = $1`,
        [id, input.name ?? null, input.enabled ?? null, condition ? JSON.stringify(condition) : null, input.channels ?? null],
      );
      const after = await this.find(id, transaction);
      await this.record('alerts.update_rule', id, by, transaction, { before: recorded(before), after: recorded(after) });
      return [after, over] as const;
    });
    if (news) this.store.announce(news);
    return changed;
  }

  /** What it had fired is over, and stays to be seen. */
  async remove(id: string, by: Person): Promise<void> {
    const news = await this.database.transaction(async (transaction) => {
      await lockAlerts(transaction);
      const before = await this.find(id, transaction);
      const over = await this.store.resolve(id, null, transaction);
      await transaction.query('DELETE FROM alert_rules WHERE id = $1', [id]);
      await this.record('alerts.delete_rule', id, by, transaction, { before: recorded(before) });
      return over;
    });
    this.store.announce(news);
  }

  /** Of the past, what came before does not count. */
  private async startAnew(id: string, transaction: EntityManager): Promise<AlertNews> {
    const over = await this.store.resolve(id, null, transaction);
    await transaction.query('DELETE FROM alert_tallies WHERE rule_id = $1', [id]);
    await transaction.query(`UPDATE alert_rules SET told_below = DEFAULT, past = DEFAULT, judged_at = DEFAULT WHERE id = $1`, [id]);
    return over;
  }

  /** The condition as it is kept: the client by its id, and nothing that is not given. */
  private async settle(condition: AlertCondition, by: Person): Promise<AlertCondition> {
    const labels = Object.entries(condition.labels ?? {});
    const faults = labels.filter(([, value]) => typeof value !== 'string').map(([key]) => ({ path: `condition.labels.${key}`, message: 'must be a string' }));
    if (labels.length > MOST_LABELS) faults.push({ path: 'condition.labels', message: `must not be more than ${MOST_LABELS}` });
    if (faults.length > 0) throw new InvalidInput(faults);
    const given = Object.fromEntries(Object.entries(condition).filter(([, value]) => value !== undefined && value !== null)) as AlertCondition;
    const { clientId } = given;
    if (clientId === undefined) return given;
    const client = await this.clients.get(clientId, by, 'alerts.manage').catch((error: Error) => {
      throw error instanceof NotFound ? new UnknownReference('alerts.manage', 'client', [{ path: 'condition.clientId', id: clientId }]) : error;
    });
    return { ...given, clientId: client.id };
  }

  private async find(id: string, transaction: EntityManager): Promise<Row> {
    const [row] = isUuid(id) ? await transaction.query<Row[]>(`SELECT ${VIEW} FROM alert_rules WHERE id = $1 FOR UPDATE`, [id]) : [];
    if (!row) throw new NotFound('rule');
    return row;
  }

  private async requireFreeName(name: string, id: string, transaction: EntityManager): Promise<void> {
    const [other] = await transaction.query<unknown[]>('SELECT 1 FROM alert_rules WHERE name = $1 AND id <> $2', [name, id]);
    if (other) throw new Conflict('name_taken', `There is a rule named ${name} already`);
  }

  private async requireChannels(ids: string[], transaction: EntityManager): Promise<void> {
    const rows = await transaction.query<{ id: string }[]>('SELECT id FROM alert_channels WHERE id = ANY($1)', [ids]);
    const known = new Set(rows.map(({ id }) => id));
    const unknown = ids.flatMap((id, index) => (known.has(id.toLowerCase()) ? [] : [{ path: `channels[${index}]`, message: 'there is no such channel' }]));
    if (unknown.length > 0) throw new InvalidInput(unknown);
  }

  private record(action: string, id: string, by: Person, transaction: EntityManager, rest: object): Promise<void> {
    return this.audit.record({ by, action, target: { type: 'alert_rule', id }, outcome: 'done', ...rest }, transaction);
  }
}

const recorded = ({ name, enabled, condition, channels }: Row): object => ({ name, enabled, condition, channels });
