import { Tracing } from '@gwanje/tracing';
import { Logger, Module } from '@nestjs/common';
import { AgentConfig, readConfig } from './config';
import { CollectLogsHandler } from './handlers/collect-logs.handler';
import { EmergencyShutdownHandler } from './handlers/emergency-shutdown.handler';
import { FileGetHandler } from './handlers/file-get.handler';
import { FilePutHandler } from './handlers/file-put.handler';
import { HandlerRegistry } from './handlers/handler-registry';
import { NoopHandler } from './handlers/noop.handler';
import { PrintHandler } from './handlers/print.handler';
import { RestartServiceHandler } from './handlers/restart-service.handler';
import { ScreenshotHandler } from './handlers/screenshot.handler';
import { ShellHandler } from './handlers/shell.handler';
import { SystemInfoHandler } from './handlers/system-info.handler';
import { Journal } from './journal/journal';
import { ApiClient } from './link/api-client';
import { Connections } from './link/connections';
import { EventStream } from './link/event-stream';
import { Link } from './link/link';
import { WebSocketLink } from './link/web-socket';
import { Policy } from './policy/policy';
import { PayloadCheck } from './runner/payload-check';
import { ResultPoster } from './runner/result-poster';
import { Runner } from './runner/runner';
import { Updater } from './update/updater';
import { VERSION } from './version';

function registry(policy: Policy): HandlerRegistry {
  return new HandlerRegistry([
    new CollectLogsHandler(policy),
    new EmergencyShutdownHandler(),
    new FileGetHandler(),
    new FilePutHandler(),
    new NoopHandler(),
    new PrintHandler(),
    new RestartServiceHandler(),
    new ScreenshotHandler(),
    new ShellHandler(),
    new SystemInfoHandler(),
  ]);
}

/** It begins no trace itself: whether one is recorded has been decided where it began. */
function openTracing({ tracing }: AgentConfig): Promise<Tracing> | Tracing {
  if (!tracing) return Tracing.OFF;
  const log = new Logger('tracing');
  return Tracing.open({ ...tracing, serviceVersion: VERSION, ratio: 1, warn: (message) => log.warn(message) });
}

/** Owns how the agent's pieces are put together; it must never hold behaviour of its own. */
@Module({
  providers: [
    { provide: AgentConfig, useFactory: () => readConfig(process.env) },
    {
      provide: Policy,
      useFactory: (config: AgentConfig) => Policy.load(config.policyFile, config.ownPaths),
      inject: [AgentConfig],
    },
    { provide: Tracing, useFactory: openTracing, inject: [AgentConfig] },
    { provide: HandlerRegistry, useFactory: registry, inject: [Policy] },
    ApiClient,
    Connections,
    EventStream,
    Journal,
    Link,
    PayloadCheck,
    ResultPoster,
    Runner,
    Updater,
    WebSocketLink,
  ],
})
export class AgentModule {}
