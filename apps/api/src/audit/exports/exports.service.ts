import type { AuditExport, AuditExportFormat, AuditFilter } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createReadStream, existsSync, type ReadStream } from 'node:fs';
import type { DataSource } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import type { Person } from '../../core/access/access';
import { Config } from '../../core/config/config';
import { Conflict, Hidden, NotFound } from '../../core/errors/errors';
import { page, type Page } from '../../core/http/page.dto';
import { AuditService } from '../audit.service';
import { exportFile } from './export-clerk';

const VIEW = `id, status, progress, rows::float8 AS rows, bytes::float8 AS bytes, sha256, format, filter, error_message AS "errorMessage",
  created_at AS "createdAt", completed_at AS "completedAt"`;

/** Orders for exports, and the way to the finished file. Everybody sees only their own; that somebody exports is itself audited. */
@Injectable()
export class ExportsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
    private readonly config: Config,
  ) {}

  /** Stores the order; whoever calls this wakes the clerk afterwards. */
  async order(format: AuditExportFormat, filter: AuditFilter | null, by: Person): Promise<string> {
    const id = uuid();
    await this.database.transaction(async (transaction) => {
      await transaction.query('INSERT INTO audit_exports (id, created_by, everywhere, format, filter) VALUES ($1, $2, $3, $4, $5)', [
        id, by.id, by.everywhere, format, filter && JSON.stringify(filter),
      ]);
      await this.audit.record(
        { by, action: 'audit.export', target: { type: 'audit_export', id }, outcome: 'done', detail: { format, filter } },
        transaction,
      );
    });
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

  /** Conflict `export_not_ready` until it is completed. */
  async open(id: string, by: Person): Promise<{ order: AuditExport; bytes: ReadStream }> {
    const order = await this.get(id, by);
    if (order.status !== 'completed') throw new Conflict('export_not_ready', `The export is ${order.status}`);
    const path = exportFile(this.config, order);
    if (!existsSync(path)) throw new NotFound('file of this export (any more)');
    await this.audit.record({ by, action: 'audit.download', target: { type: 'audit_export', id: order.id }, outcome: 'done' });
    return { order, bytes: createReadStream(path) };
  }
}
