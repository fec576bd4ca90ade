import { BullModule } from '@nestjs/bull';
import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { ClientsModule } from '../clients/clients.module';
import { RbacModule } from '../rbac/rbac.module';
import { AddressGuard, NameResolver } from './address-guard';
import { AlertReader } from './alert-reader';
import { AlertReporter } from './alert-reporter';
import { AlertStore } from './alert-store';
import { AlertsController } from './alerts.controller';
import { ChannelBook } from './channel-book';
import { Mailer } from './mailer';
import { DELIVERIES_QUEUE, Postman } from './postman';
import { RuleBook } from './rule-book';
import { WebhookSender } from './webhook-sender';

/** Tells people and programs of what they asked to be told. */
@Module({
  imports: [AuditModule, RbacModule, ClientsModule, BullModule.registerQueue({ name: DELIVERIES_QUEUE })],
  controllers: [AlertsController],
  providers: [AlertStore, RuleBook, ChannelBook, AlertReader, AlertReporter, Postman, Mailer, WebhookSender, AddressGuard, NameResolver],
  exports: [AlertStore, Postman],
})
export class AlertsModule {}
