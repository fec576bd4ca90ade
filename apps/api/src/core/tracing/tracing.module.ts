import { Tracing } from '@gwanje/tracing';
import { Global, Injectable, Logger, Module, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config/config';
import { VERSION } from '../version';

function open(config: Config): Promise<Tracing> | Tracing {
  if (!config.OTEL_EXPORTER_OTLP_ENDPOINT) return Tracing.OFF;
  const log = new Logger('Tracing');
  return Tracing.open({
    endpoint: config.OTEL_EXPORTER_OTLP_ENDPOINT,
    serviceName: config.OTEL_SERVICE_NAME,
    serviceVersion: VERSION,
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
    delayMs: config.OTEL_BSP_SCHEDULE_DELAY,
    warn: (message) => log.warn(message),
  });
}

/** Sends the last spans at an orderly stop, when nothing makes any more. */
@Injectable()
class LastSpans implements OnApplicationShutdown {
  constructor(private readonly tracing: Tracing) {}

  onApplicationShutdown(): Promise<void> {
    return this.tracing.close();
  }
}

/** OpenTelemetry traces, off unless OTEL_EXPORTER_OTLP_ENDPOINT says where to. */
@Global()
@Module({ providers: [{ provide: Tracing, inject: [Config], useFactory: open }, LastSpans], exports: [Tracing] })
export class TracingModule {}
