import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedSpan {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  attributes: Record<string, string | number>;
  failed: boolean;
  startMs: number;
  endMs: number;
}

interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: number };
}
interface OtlpSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: Attribute[];
  status?: { code?: number };
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}
interface OtlpTraces {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

const ERROR = 2;

/** A receiver of OTLP over HTTP (JSON), as a collector is one. */
export class TraceReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** All that was sent to it, as it came. */
  text = '';
  /** While it is mute it takes what comes, and answers nothing. */
  mute = false;
  requests = 0;

  private constructor(private readonly server: Server) {}

  static async open(): Promise<TraceReceiver> {
    const server = createServer((request, response) => {
      receiver.requests++;
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        if (receiver.mute) return;
        if (request.method !== 'POST' || request.url !== '/v1/traces') return void response.writeHead(404).end();
        receiver.text += body;
        receiver.spans.push(...spansOf(JSON.parse(body) as OtlpTraces));
        response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
      });
    });
    const receiver = new TraceReceiver(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  of(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId).sort((a, b) => a.startMs - b.startMs);
  }

  /** Each span's name beneath that of its parent, for the whole trace: `parent > child`. */
  edges(traceId: string, root: string): string[] {
    const spans = this.of(traceId);
    const names = new Map([[root, 'caller'], ...spans.map(({ spanId, name }) => [spanId, name] as const)]);
    return spans.map(({ name, parentSpanId }) => `${names.get(parentSpanId) ?? '?'} > ${name}`).sort();
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function spansOf({ resourceSpans }: OtlpTraces): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(valuesOf(resource.attributes)['service.name']);
    return scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, traceId, spanId, parentSpanId = '', attributes, status, startTimeUnixNano, endTimeUnixNano }) => ({
        service, name, traceId, spanId, parentSpanId, attributes: valuesOf(attributes), failed: status?.code === ERROR,
        startMs: Number(startTimeUnixNano) / 1e6, endMs: Number(endTimeUnixNano) / 1e6,
      })),
    );
  });
}

const valuesOf = (attributes: Attribute[]): Record<string, string | number> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? '']));
