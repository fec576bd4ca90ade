import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { ClientsModule } from '../clients/clients.module';
import { RbacModule } from '../rbac/rbac.module';
import { CommandRetention } from './command-retention';
import { CommandSweeps } from './command-sweeps';
import { CommandsModule } from './commands.module';
import { DispatchProcessor } from './dispatcher';
import { Sweeper } from './sweeper';

/** What a worker does for commands: hands out what is on the queue, and finds what should have been. */
@Module({ imports: [AuditModule, RbacModule, ClientsModule, CommandsModule], providers: [DispatchProcessor, CommandSweeps, Sweeper, CommandRetention] })
export class CommandsWorkerModule {}
