import { BullModule } from '@nestjs/bull';
import { Module } from '@nestjs/common';
import { AuditModule } from '../audit/audit.module';
import { ClientsModule } from '../clients/clients.module';
import { IdentityModule } from '../identity/identity.module';
import { Config } from '../core/config/config';
import { RbacModule } from '../rbac/rbac.module';
import { AgentCommandsController } from './agent-commands.controller';
import { AgentFrames } from './agent-frames';
import { AgentSessions } from './agent-sessions';
import { AgentSocketController } from './agent-socket.controller';
import { ArtifactStore } from './artifact-store';
import { ArtifactsService } from './artifacts.service';
import { CommandMetrics } from './command-metrics';
import { CommandReader } from './command-reader';
import { CommandStore } from './command-store';
import { CommandsController } from './commands.controller';
import { CommandsService } from './commands.service';
import { ConsoleEventsController } from './console-events.controller';
import { AgentWords } from './agent-words';
import { Courier } from './courier';
import { DiskArtifactStore } from './disk-artifact-store';
import { DISPATCH_QUEUE, Dispatcher } from './dispatcher';
import { IdempotencyKeys } from './idempotency-keys';
import { Intake } from './intake';
import { NewsDesk } from './news-desk';
import { OutputService } from './output.service';
import { OverviewController } from './overview.controller';
import { OverviewReader } from './overview';
import { PayloadSecrets } from './payload-secrets.service';
import { Reporter } from './reporter';
import { RightOfWay } from './right-of-way';
import { S3ArtifactStore } from './s3-artifact-store';

const artifactStore = {
  provide: ArtifactStore,
  inject: [Config],
  useFactory: async (config: Config): Promise<ArtifactStore> =>
    config.ARTIFACTS_S3_BUCKET ? S3ArtifactStore.connect(config, config.ARTIFACTS_S3_BUCKET) : new DiskArtifactStore(config.ARTIFACTS_DIR),
};

@Module({
  imports: [AuditModule, IdentityModule, RbacModule, ClientsModule, BullModule.registerQueue({ name: DISPATCH_QUEUE })],
  controllers: [CommandsController, AgentCommandsController, AgentSocketController, ConsoleEventsController, OverviewController],
  providers: [
    CommandsService, Intake, IdempotencyKeys, AgentWords, AgentSessions, AgentFrames, CommandReader, CommandMetrics, CommandStore, PayloadSecrets, Dispatcher, Courier,
    RightOfWay, OutputService, artifactStore, ArtifactsService, NewsDesk, Reporter, OverviewReader,
  ],
  exports: [ArtifactStore, CommandMetrics, CommandStore, Dispatcher, PayloadSecrets],
})
export class CommandsModule {}
