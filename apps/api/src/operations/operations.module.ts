import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { ClientsModule } from '../clients/clients.module';
import { Gauges } from './gauges';
import { SystemController } from './system.controller';
import { SystemReader } from './system';

/** Watches over the system itself. */
@Module({
  imports: [AuditModule, ClientsModule],
  controllers: [SystemController],
  providers: [SystemReader, Gauges],
})
export class OperationsModule {}
