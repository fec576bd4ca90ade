import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { AgentKeys } from '../core/access/access';
import { IdentityModule } from '../identity/identity.module';
import { RbacModule } from '../rbac/rbac.module';
import { AliveController } from './alive.controller';
import { AgentBundle } from './agent-bundle.service';
import { AgentDescriptionsService } from './agent-descriptions.service';
import { ClientKeys } from './client-keys';
import { ClientsController } from './clients.controller';
import { ClientsService } from './clients.service';
import { EnrolmentController } from './enrolment.controller';
import { EnrolmentService } from './enrolment.service';
import { EventsController } from './events.controller';
import { GatewayService } from './gateway.service';
import { AgentReleaseController } from './agent-release.controller';
import { InstallController } from './install.controller';
import { OfferHerald } from './offer-herald';
import { Presence } from './presence';

@Module({
  imports: [AuditModule, IdentityModule, RbacModule],
  controllers: [ClientsController, EnrolmentController, EventsController, AliveController, InstallController, AgentReleaseController],
  providers: [
    ClientsService,
    AgentBundle,
    AgentDescriptionsService,
    GatewayService,
    OfferHerald,
    Presence,
    EnrolmentService,
    ClientKeys,
    { provide: AgentKeys, useExisting: ClientKeys },
  ],
  exports: [ClientsService, AgentBundle, AgentDescriptionsService, GatewayService, AgentKeys],
})
export class ClientsModule {}
