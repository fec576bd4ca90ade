import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { AgentKeys } from '../core/access/access';
import { RbacModule } from '../rbac/rbac.module';
import { ClientKeysService } from './client-keys.service';
import { ClientsController } from './clients.controller';
import { ClientsService } from './clients.service';
import { EnrolmentController } from './enrolment.controller';
import { EnrolmentService } from './enrolment.service';
import { EventsController } from './events.controller';
import { GatewayService } from './gateway.service';

@Module({
  imports: [AuditModule, RbacModule],
  controllers: [ClientsController, EnrolmentController, EventsController],
  providers: [
    ClientsService,
    GatewayService,
    EnrolmentService,
    ClientKeysService,
    { provide: AgentKeys, useExisting: ClientKeysService },
  ],
  exports: [ClientsService, ClientKeysService, GatewayService],
})
export class ClientsModule {}
