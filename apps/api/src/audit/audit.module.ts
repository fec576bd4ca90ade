import { Module } from '@nestjs/common';
import { RefusalRecorder } from '../core/access/access';
import { AuditService } from './audit.service';

/** Provides the core's seam `RefusalRecorder`. */
@Module({ providers: [AuditService, { provide: RefusalRecorder, useExisting: AuditService }], exports: [AuditService] })
export class AuditModule {}
