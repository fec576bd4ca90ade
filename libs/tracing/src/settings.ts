/** The rest of OpenTelemetry's own settings (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_BSP_MAX_QUEUE_SIZE`, …) is read by its library. */
export interface TracingSettings {
  /** `OTEL_EXPORTER_OTLP_ENDPOINT`: a receiver of OTLP over HTTP, without `/v1/traces`. */
  endpoint: string;
  /** `OTEL_SERVICE_NAME`. */
  serviceName: string;
  serviceVersion: string;
  /** `OTEL_TRACES_SAMPLER_ARG`: the part of the traces begun here that is recorded, 0 to 1. One that is continued is recorded as its beginner chose. */
  ratio: number;
  /** `OTEL_BSP_SCHEDULE_DELAY`: milliseconds for which ended spans are gathered before they are sent. */
  delayMs: number;
  /** Is told, once in a while, that spans do not get through. */
  warn: (message: string) => void;
}
