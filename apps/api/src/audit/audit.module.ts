import { BullModule } from '@nestjs/bull';
import { Module } from '@nestjs/common';
import { RefusalRecorder } from '../core/access/access';
import { AuditReader } from './audit-reader';
import { AuditController } from './audit.controller';
import { AuditService } from './audit.service';
import { CheckpointReader } from './checkpoint-reader';
import { ExportClerk, EXPORTS_QUEUE } from './exports/export-clerk';
import { ExportWriter } from './exports/export-writer';
import { ExportsService } from './exports/exports.service';
import { Sealer } from './sealer';
import { SigningKey } from './signing-key';

/** Provides the core's seam `RefusalRecorder`. */
@Module({
  imports: [BullModule.registerQueue({ name: EXPORTS_QUEUE })],
  controllers: [AuditController],
  providers: [
    AuditService, { provide: RefusalRecorder, useExisting: AuditService }, AuditReader, CheckpointReader, SigningKey, Sealer,
    ExportsService, ExportWriter, ExportClerk,
  ],
  exports: [AuditService, ExportClerk, ExportsService],
})
export class AuditModule {}
