import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { AgentKeys } from '../core/access/access';
import { ClientsController } from './clients.controller';
import { ClientsService } from './clients.service';
import { EventsController } from './events.controller';
import { GatewayService } from './gateway.service';

@Module({
  imports: [AuditModule],
  controllers: [ClientsController, EventsController],
  providers: [
    ClientsService,
    GatewayService,
    { provide: AgentKeys, inject: [ClientsService], useFactory: (clients: ClientsService) => ({ find: (key: string) => clients.findByKey(key) }) },
  ],
  exports: [ClientsService, GatewayService],
})
export class ClientsModule {}
