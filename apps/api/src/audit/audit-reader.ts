import { ANY_ACTION, type AuditFilter, type AuditItem } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import type { Person } from '../core/access/access';
import { Hidden, InvalidInput } from '../core/errors/errors';
import { page, type Page } from '../core/http/page.dto';
import { type AuditRow, ITEM_COLUMNS, toItem } from './audit-row';
import type { ListAuditDto } from './audit.dto';

/** SQL on `audit_log a`; `bind` takes a value and answers its placeholder. */
export type Condition = (bind: (value: unknown) => string) => string;
/** The action of the command that a row is about. */
const COMMAND_ACTION = `(SELECT c.action FROM commands c
  WHERE c.id = CASE WHEN a.target_id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN a.target_id::uuid END)`;

const NEWEST_FIRST = 'ORDER BY a.at DESC, a.id DESC';
/** So many of the newest rows are looked through for a page before clients are asked one by one. */
const NEWEST = 2_000;

/** As much of a person as decides what they see. */
export type Viewer = Pick<Person, 'id' | 'everywhere'>;

/** Reads the audit log, and knows who sees which of its rows. */
@Injectable()
export class AuditReader {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async list({ limit, cursor, ...filter }: ListAuditDto, viewer: Viewer): Promise<Page<AuditItem>> {
    const period = [...periodOf(filter), ...(cursor ? [await this.after(cursor)] : [])];
    const kind = kindOf(filter);
    const asked = [...period, ...kind];
    const most = limit + 1;
    // One target, and what was refused, is little enough to be looked through.
    const isSmall = filter.target !== undefined || filter.outcome === 'refused';
    const rows =
      isSmall || this.seesAll(viewer)
        ? await this.all(asked, viewer, most)
        : ((await this.amongNewest(asked, viewer, most)) ?? (await this.ofEachClient(period, kind, viewer, most)));
    return page(rows.map((row) => toItem(row, row.position)), limit);
  }

  /** What the viewer may not see does not exist for them. */
  async get(id: string, viewer: Viewer): Promise<AuditItem> {
    const [row] = isUuid(id) ? await this.all([(bind) => `a.id = ${bind(id)}`], viewer, 1) : [];
    if (!row) throw new Hidden('audit.read', { type: 'audit_entry', id });
    return toItem(row, row.position);
  }

  /** Whether nothing is kept from them, so that their whole log is the whole log. */
  seesAll(viewer: Pick<Viewer, 'everywhere'>): boolean {
    return viewer.everywhere.includes('audit.read');
  }

  /**
   * The one place that decides which rows somebody sees who does not see all: what they did themselves, what is about a client in reach, and
   * what is about a command there whose action is in reach as well. Of a command that is not kept any more nobody can tell its action: its
   * rows are for those who reach every action of the client.
   */
  visibleTo(viewer: Viewer): Condition {
    if (this.seesAll(viewer)) return () => 'true';
    return (bind) => {
      const me = bind(viewer.id);
      const reach = (columns: string, and = ''): string => `(SELECT ${columns} FROM client_reach WHERE user_id = ${me} ${and})`;
      return `a.actor_id = ${me} OR CASE WHEN a.target_type <> 'command' THEN a.client_id IN ${reach('client_id')}
        ELSE a.client_id IN ${reach('client_id', `AND actions @> '{${ANY_ACTION}}'`)}
          OR (a.client_id, ${COMMAND_ACTION}) IN ${reach('client_id, unnest(actions)')} END`;
    };
  }

  /** The WHERE clause of what is asked for and may be seen. */
  select(filter: AuditFilter, viewer: Viewer, more: Condition[] = []): { sql: string; values: unknown[] } {
    const values: unknown[] = [];
    return { sql: where([this.visibleTo(viewer), ...periodOf(filter), ...kindOf(filter), ...more], values), values };
  }

  private all(asked: Condition[], viewer: Viewer, most: number): Promise<AuditRow[]> {
    const values: unknown[] = [];
    return this.read(`SELECT a.* FROM audit_log a WHERE ${where([this.visibleTo(viewer), ...asked], values)} ${NEWEST_FIRST} LIMIT ${most}`, values);
  }

  /** Those within sight among the newest of all: a full page at once, for whoever sees much of what happens now. Null when older ones may belong to the page. */
  private async amongNewest(asked: Condition[], viewer: Viewer, most: number): Promise<AuditRow[] | null> {
    const values: unknown[] = [];
    const all = `SELECT * FROM audit_log a WHERE ${where(asked, values)} ${NEWEST_FIRST}`;
    const ofAll = [...values];
    const rows = await this.read(`SELECT a.* FROM (${all} LIMIT ${NEWEST}) a WHERE ${where([this.visibleTo(viewer)], values)} ${NEWEST_FIRST} LIMIT ${most}`, values);
    if (rows.length === most) return rows;
    const older = await this.database.query<unknown[]>(`SELECT 1 FROM (${all} OFFSET ${NEWEST} LIMIT 1) a`, ofAll);
    return older.length > 0 ? null : rows;
  }

  /**
   * However old they are: each client in reach is asked for its newest, and no more than a page of clients, those whose newest are the
   * newest, can have a share in the page; beside them what the viewer did.
   */
  private ofEachClient(period: Condition[], kind: Condition[], viewer: Viewer, most: number): Promise<AuditRow[]> {
    const values: unknown[] = [viewer.id];
    const [when, wanted, visible] = [where(period, values), where(kind, values), where([this.visibleTo(viewer)], values)];
    // OFFSET keeps the client's rows in the order of their own index, whatever else is wanted of them.
    const newest = (columns: string, clientId: string, limit: number): string =>
      `SELECT ${columns} FROM (SELECT * FROM audit_log a WHERE a.client_id = ${clientId} AND ${when} ${NEWEST_FIRST} OFFSET 0) a
         WHERE a.actor_id IS DISTINCT FROM $1 AND ${wanted} AND ${visible} ${NEWEST_FIRST} LIMIT ${limit}`;
    return this.read(
      `WITH freshest AS MATERIALIZED (
         SELECT mine.client_id FROM (SELECT DISTINCT client_id FROM client_reach WHERE user_id = $1) mine
         CROSS JOIN LATERAL (${newest('a.at, a.id', 'mine.client_id', 1)}) a ${NEWEST_FIRST} LIMIT ${most}
       )
       SELECT a.* FROM (
         (SELECT a.* FROM audit_log a WHERE a.actor_id = $1 AND ${when} AND ${wanted} ${NEWEST_FIRST} LIMIT ${most})
         UNION ALL
         SELECT a.* FROM freshest CROSS JOIN LATERAL (${newest('a.*', 'freshest.client_id', most)}) a
       ) a ${NEWEST_FIRST} LIMIT ${most}`,
      values,
    );
  }

  /** `rows` is SQL for rows of `audit_log`, newest first. */
  private read(rows: string, values: unknown[]): Promise<AuditRow[]> {
    return this.database.query(
      `SELECT ${ITEM_COLUMNS}, s.position::float8 AS position FROM (${rows}) a LEFT JOIN audit_seals s ON s.audit_id = a.id ORDER BY a.at DESC, a.id DESC`, values,
    );
  }

  private async after(cursor: string): Promise<Condition> {
    const [last] = await this.database.query<{ at: string }[]>('SELECT at::text AS at FROM audit_log WHERE id = $1', [cursor]);
    if (!last) throw new InvalidInput([{ path: 'cursor', message: 'there is no such entry (any more)' }]);
    return (bind) => `(a.at, a.id) < (${bind(last.at)}::timestamptz, ${bind(cursor)}::uuid)`;
  }
}

/** All of them, with their values behind those that are there already. */
function where(conditions: readonly Condition[], values: unknown[]): string {
  const bind = (value: unknown): string => `$${values.push(value)}`;
  return conditions.map((condition) => `(${condition(bind)})`).join(' AND ') || 'true';
}

function periodOf({ from, to }: AuditFilter): Condition[] {
  const conditions: Condition[] = [];
  if (from) conditions.push((bind) => `a.at >= ${bind(from)}::timestamptz`);
  if (to) conditions.push((bind) => `a.at < ${bind(to)}::timestamptz`);
  return conditions;
}

function kindOf({ actor, action, target, outcome }: AuditFilter): Condition[] {
  const conditions: Condition[] = [];
  if (actor) conditions.push((bind) => (isUuid(actor) ? `a.actor_id = ${bind(actor)}` : `lower(a.actor_name) = lower(${bind(actor)})`));
  if (action?.endsWith('.*')) {
    // `/` follows `.`: everything that starts with the prefix and its dot.
    const prefix = action.slice(0, -2);
    conditions.push((bind) => `a.action COLLATE "C" >= ${bind(`${prefix}.`)} AND a.action COLLATE "C" < ${bind(`${prefix}/`)}`);
  } else if (action) conditions.push((bind) => `a.action COLLATE "C" = ${bind(action)}`);
  if (target) conditions.push((bind) => `a.target_id = ${bind(target)}`);
  // The rare outcome has an index of its own, which only a literal can use.
  if (outcome) conditions.push(() => `a.outcome = '${outcome === 'refused' ? 'refused' : 'done'}'`);
  return conditions;
}
