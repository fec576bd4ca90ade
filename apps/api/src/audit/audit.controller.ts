import type { AuditExport, AuditItem } from '@gwanje/contracts';
import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { type Page, PageDto } from '../core/http/page.dto';
import { AuditReader } from './audit-reader';
import { CreateExportDto, ListAuditDto, ListCheckpointsDto } from './audit.dto';
import { CheckpointReader, type CheckpointPage } from './checkpoint-reader';
import { ExportClerk } from './exports/export-clerk';
import { ExportsService } from './exports/exports.service';

const CONTENT_TYPES = { csv: 'text/csv; charset=utf-8', ndjson: 'application/x-ndjson' };

/** The audit log, its seals and its exports, for people and scripts. */
@Controller('api/audit')
export class AuditController {
  constructor(
    private readonly reader: AuditReader,
    private readonly checkpoints: CheckpointReader,
    private readonly exports: ExportsService,
    private readonly clerk: ExportClerk,
  ) {}

  @ForPeople('audit.read')
  @Get()
  list(@Query() query: ListAuditDto, @Caller() caller: Person): Promise<Page<AuditItem>> {
    return this.reader.list(query, caller);
  }

  @ForPeople('audit.read')
  @Get('checkpoints')
  listCheckpoints(@Query() query: ListCheckpointsDto): Promise<CheckpointPage> {
    return this.checkpoints.list(query.limit, query.cursor);
  }

  @ForPeople('audit.export')
  @Post('exports')
  @HttpCode(202)
  async createExport(@Body() body: CreateExportDto, @Caller() caller: Person): Promise<{ id: string }> {
    const id = await this.exports.order(body.format, body.filter && Object.keys(body.filter).length > 0 ? { ...body.filter } : null, caller);
    void this.clerk.wake();
    return { id };
  }

  @ForPeople('audit.export')
  @Get('exports')
  listExports(@Query() { limit, cursor }: PageDto, @Caller() caller: Person): Promise<Page<AuditExport>> {
    return this.exports.list(limit, cursor, caller);
  }

  @ForPeople('audit.export')
  @Get('exports/:id')
  getExport(@Param('id') id: string, @Caller() caller: Person): Promise<AuditExport> {
    return this.exports.get(id, caller);
  }

  /** 409 `export_not_ready` until it is completed; 409 `export_rights_changed` when the caller's rights changed since it was ordered. */
  @ForPeople('audit.export')
  @Get('exports/:id/download')
  async download(@Param('id') id: string, @Caller() caller: Person, @Res() reply: FastifyReply): Promise<void> {
    const { order, bytes } = await this.exports.open(id, caller);
    void reply
      .header('Content-Type', CONTENT_TYPES[order.format])
      .header('Content-Length', order.bytes)
      .header('Content-Disposition', `attachment; filename="gwanje-audit-${order.id}.${order.format}"`)
      .send(bytes);
  }

  /** One entry, as the list shows it. */
  @ForPeople('audit.read')
  @Get(':id')
  get(@Param('id') id: string, @Caller() caller: Person): Promise<AuditItem> {
    return this.reader.get(id, caller);
  }
}
