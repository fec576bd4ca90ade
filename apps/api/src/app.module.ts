import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, DiscoveryModule } from '@nestjs/core';
import { AlertsModule } from './alerts/alerts.module';
import { AlertsWorkerModule } from './alerts/alerts-worker.module';
import { AuditWorkerModule } from './audit/audit-worker.module';
import { ClientsModule } from './clients/clients.module';
import { CommandsModule } from './commands/commands.module';
import { CommandsWorkerModule } from './commands/commands-worker.module';
import { AccessGuard } from './core/access/access.guard';
import { ClosedByDefault } from './core/access/closed-by-default';
import type { Config } from './core/config/config';
import { ConfigModule } from './core/config/config.module';
import { CryptoModule } from './core/crypto/crypto.module';
import { DatabaseModule } from './core/database/database.module';
import { ProblemFilter } from './core/errors/problem.filter';
import { EventsModule } from './core/events/events.module';
import { HttpModule } from './core/http/http.module';
import { QueueModule } from './core/queue/queue.module';
import { TracingModule } from './core/tracing/tracing.module';
import { IdentityModule } from './identity/identity.module';
import { OperationsModule } from './operations/operations.module';
import { RbacModule } from './rbac/rbac.module';

/** The modules in rank order: each imports only those before it. */
@Module({})
export class AppModule {
  static with(config: Config): DynamicModule {
    return {
      module: AppModule,
      imports: [
        DiscoveryModule, ConfigModule.with(config), TracingModule, DatabaseModule, CryptoModule, QueueModule, EventsModule, HttpModule,
        IdentityModule, RbacModule, ClientsModule, CommandsModule, AlertsModule, OperationsModule,
        ...(config.has('worker') ? [AuditWorkerModule, CommandsWorkerModule, AlertsWorkerModule] : []),
      ],
      providers: [ClosedByDefault, { provide: APP_GUARD, useClass: AccessGuard }, { provide: APP_FILTER, useClass: ProblemFilter }],
    };
  }
}
