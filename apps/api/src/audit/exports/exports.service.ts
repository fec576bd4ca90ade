import type { AuditExport, AuditExportFormat, AuditFilter, Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createReadStream, existsSync, type ReadStream } from 'node:fs';
import type { DataSource } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import type { Person } from '../../core/access/access';
import { Config } from '../../core/config/config';
import { Conflict, Hidden, NotFound } from '../../core/errors/errors';
import { Bus } from '../../core/events/bus.service';
import { page, type Page } from '../../core/http/page.dto';
import { AuditReader } from '../audit-reader';
import { AuditService } from '../audit.service';
import { exportFile } from './export-clerk';

const VIEW = `id, status, progress, rows::float8 AS rows, bytes::float8 AS bytes, sha256, format, filter, error_message AS "errorMessage",
  created_at AS "createdAt", completed_at AS "completedAt"`;

const RIGHTS_CHANGED = 'export_rights_changed';

/** Orders for exports, and the way to the finished file. Everybody sees only their own; that somebody exports is itself audited. */
@Injectable()
export class ExportsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
    private readonly reader: AuditReader,
    private readonly config: Config,
    private readonly bus: Bus,
  ) {}

  /** Stores the order; whoever calls this wakes the clerk afterwards. */
  async order(format: AuditExportFormat, filter: AuditFilter | null, by: Person): Promise<string> {
    const id = uuid();
    await this.database.transaction(async (transaction) => {
      await transaction.query('INSERT INTO audit_exports (id, created_by, everywhere, rights_version, format, filter) VALUES ($1, $2, $3, $4, $5, $6)', [
        id, by.id, by.everywhere, by.rightsVersion, format, filter && JSON.stringify(filter),
      ]);
      await this.audit.record(
        { by, action: 'audit.export', target: { type: 'audit_export', id }, outcome: 'done', detail: { format, filter } },
        transaction,
      );
    });
    this.bus.publish('exports', { ids: [id] });
    return id;
  }

  async list(limit: number, cursor: string | undefined, by: Person): Promise<Page<AuditExport>> {
    const rows = await this.database.query<AuditExport[]>(
      `SELECT ${VIEW} FROM audit_exports WHERE created_by = $1 AND ($2::uuid IS NULL OR id < $2) ORDER BY id DESC LIMIT $3`,
      [by.id, cursor ?? null, limit + 1],
    );
    return page(rows, limit);
  }

  async get(id: string, by: Person): Promise<AuditExport> {
    const [found] = isUuid(id)
      ? await this.database.query<AuditExport[]>(`SELECT ${VIEW} FROM audit_exports WHERE id = $1 AND created_by = $2`, [id, by.id])
      : [];
    if (!found) throw new Hidden('audit.export', { type: 'audit_export', id });
    return found;
  }

  /** Those of these exports that are the person's, as they are now; `revision` rises with each change. */
  news(ids: readonly string[], personId: string): Promise<(AuditExport & { revision: number })[]> {
    return this.database.query(
      `SELECT ${VIEW}, changed_xid::text::float8 AS revision FROM audit_exports WHERE id = ANY($1) AND created_by = $2 ORDER BY id`, [ids, personId],
    );
  }

  /** Which exports changed from this point in PostgreSQL's order of transactions on. */
  changedSince(point: string, atMost: number): Promise<{ id: string; revision: number }[]> {
    return this.database.query('SELECT id, changed_xid::text::float8 AS revision FROM audit_exports WHERE changed_xid >= $1::text::xid8 LIMIT $2', [point, atMost]);
  }

  /** Conflict `export_not_ready` until it is completed, and `export_rights_changed` when the caller's rights are not those that it was made with. */
  async open(id: string, by: Person): Promise<{ order: AuditExport; bytes: ReadStream }> {
    const order = await this.get(id, by);
    await this.requireSameRights(id, by);
    if (order.status !== 'completed') throw new Conflict('export_not_ready', `The export is ${order.status}`);
    const path = exportFile(this.config, order);
    if (!existsSync(path)) throw new NotFound('file of this export (any more)');
    await this.audit.record({ by, action: 'audit.download', target: { type: 'audit_export', id: order.id }, outcome: 'done' });
    return { order, bytes: createReadStream(path) };
  }

  /** A token with a part of the rights does not get what all of them saw, either. */
  private async requireSameRights(id: string, by: Person): Promise<void> {
    const [order] = await this.database.query<{ everywhere: Permission[]; version: number }[]>(
      'SELECT everywhere, rights_version AS version FROM audit_exports WHERE id = $1', [id],
    );
    if (order?.version === by.rightsVersion && (!this.reader.seesAll(order) || this.reader.seesAll(by))) return;
    const detail = { code: RIGHTS_CHANGED };
    await this.audit.record({ by, action: 'audit.download', target: { type: 'audit_export', id }, outcome: 'refused', detail });
    throw new Conflict(RIGHTS_CHANGED, 'Your rights are not those that this export was ordered with; order it again');
  }
}
