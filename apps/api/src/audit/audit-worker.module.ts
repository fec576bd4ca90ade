import { Module } from '@nestjs/common';
import { AuditModule } from './audit.module';
import { ExportProcessor } from './exports/export-clerk';
import { Retention } from './retention';

/** What a worker does for the audit log besides sealing it. */
@Module({ imports: [AuditModule], providers: [ExportProcessor, Retention] })
export class AuditWorkerModule {}
