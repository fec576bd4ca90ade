import type { AttributeValue, Span as OtelSpan } from '@opentelemetry/api';
import { openExporter, type Otel } from './exporter';
import type { TracingSettings } from './settings';

export type Attributes = Record<string, AttributeValue | undefined>;

export interface SpanSettings {
  /** Of few kinds: never with an id in it. */
  name: string;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  /** The W3C `traceparent` that it continues. */
  parent: string | undefined;
  /** Ids and names; never a payload, a header or an error's words. */
  attributes?: Attributes;
  /** Milliseconds since 1970; now by default. */
  startedAt?: number | undefined;
}

/** One step of a trace, from `begin` or `follow` until `end`. */
export interface Span {
  /** For the next step: in a header `traceparent`, a row, a frame, a journal. */
  readonly traceparent: string | undefined;
  set(attributes: Attributes): void;
  /** Marks it as failed; `type` is of few kinds. */
  fail(type: string): void;
  end(): void;
}

/** How long a stop waits for what was not yet sent. */
const CLOSE_MS = 2_000;

/**
 * Makes the spans of this process and sends them, in batches and beside everything else: whoever makes one never waits and never hears
 * of a fault. Switched off it loads nothing, and passes on what it was given.
 */
export class Tracing {
  static readonly OFF = new Tracing();

  private constructor(private readonly otel?: Otel) {}

  static async open(settings: TracingSettings): Promise<Tracing> {
    return new Tracing(await openExporter(settings));
  }

  get isOn(): boolean {
    return this.otel !== undefined;
  }

  /** Continues `parent`, or begins a trace where there is none. */
  begin(settings: SpanSettings): Span {
    return this.otel ? new Recorded(this.otel, settings) : passedOn(settings.parent);
  }

  /** Continues `parent`; where there is none nothing is recorded. */
  follow(settings: SpanSettings): Span {
    return settings.parent === undefined ? NO_SPAN : this.begin(settings);
  }

  /** Follows for as long as the work takes. */
  async during<T>(settings: SpanSettings, work: (span: Span) => Promise<T>): Promise<T> {
    const span = this.follow(settings);
    try {
      return await work(span);
    } catch (error) {
      span.fail(error instanceof Error ? error.constructor.name : typeof error);
      throw error;
    } finally {
      span.end();
    }
  }

  /** Sends what was not yet sent, as far as that takes no longer than two seconds. */
  async close(): Promise<void> {
    if (!this.otel) return;
    let timer: NodeJS.Timeout | undefined;
    const tooLong = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
    await Promise.race([this.otel.shutdown().catch(() => undefined), tooLong]);
    clearTimeout(timer);
  }
}

const passedOn = (traceparent: string | undefined): Span => ({ traceparent, set: ignore, fail: ignore, end: ignore });
const ignore = (): void => undefined;
/** Of what belongs to no trace. */
export const NO_SPAN: Span = passedOn(undefined);

class Recorded implements Span {
  readonly traceparent: string | undefined;
  private readonly span: OtelSpan;

  constructor(
    private readonly otel: Otel,
    { name, kind, parent, attributes, startedAt }: SpanSettings,
  ) {
    const { api, tracer } = otel;
    const before = api.propagation.extract(api.ROOT_CONTEXT, { traceparent: parent });
    const spanKind = api.SpanKind[kind.toUpperCase() as Uppercase<typeof kind>];
    this.span = tracer.startSpan(name, { kind: spanKind, attributes, startTime: startedAt }, before);
    const carrier: { traceparent?: string } = {};
    api.propagation.inject(api.trace.setSpan(before, this.span), carrier);
    this.traceparent = carrier.traceparent;
  }

  set(attributes: Attributes): void {
    this.span.setAttributes(attributes);
  }

  fail(type: string): void {
    this.span.setStatus({ code: this.otel.api.SpanStatusCode.ERROR });
    this.span.setAttribute('error.type', type);
  }

  end(): void {
    this.span.end();
  }
}
