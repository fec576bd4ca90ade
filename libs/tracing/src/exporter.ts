import type * as Api from '@opentelemetry/api';
import type { TracingSettings } from './settings';

export interface Otel {
  api: typeof Api;
  tracer: Api.Tracer;
  shutdown: () => Promise<void>;
}

const EXPORT_MS = 10_000;
const WARN_EVERY_MS = 60_000;

/** Loads OpenTelemetry, which nothing does before, and has it send to the endpoint. It keeps a bounded number of spans and drops what is beyond. */
export async function openExporter(settings: TracingSettings): Promise<Otel> {
  const [api, sdk, { OTLPTraceExporter }, { resourceFromAttributes }, names] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/exporter-trace-otlp-http'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/semantic-conventions'),
  ]);
  api.diag.setLogger(warningsOf(settings.warn), { logLevel: api.DiagLogLevel.WARN, suppressOverrideMessage: true });
  const url = `${settings.endpoint.replace(/\/+$/, '')}/v1/traces`;
  const provider = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes({
      [names.ATTR_SERVICE_NAME]: settings.serviceName,
      [names.ATTR_SERVICE_VERSION]: settings.serviceVersion,
    }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(settings.ratio) }),
    spanProcessors: [
      new sdk.BatchSpanProcessor(new OTLPTraceExporter({ url, timeoutMillis: EXPORT_MS }), {
        scheduledDelayMillis: settings.delayMs,
        exportTimeoutMillis: EXPORT_MS,
      }),
    ],
  });
  // Contexts are handed on by hand: commands are committed in groups, where no asynchronous context is anybody's own.
  provider.register({ contextManager: null });
  return { api, tracer: provider.getTracer('gwanje', settings.serviceVersion), shutdown: () => provider.shutdown() };
}

/** A receiver that is down is told of once a minute, not with every batch; its answers are not repeated. */
function warningsOf(warn: (message: string) => void): Api.DiagLogger {
  let toldAt = -Infinity;
  const tell = (): void => {
    if (performance.now() - toldAt < WARN_EVERY_MS) return;
    toldAt = performance.now();
    warn('spans do not get through to OTEL_EXPORTER_OTLP_ENDPOINT and are dropped');
  };
  const silent = (): void => undefined;
  return { error: tell, warn: tell, info: silent, debug: silent, verbose: silent };
}
