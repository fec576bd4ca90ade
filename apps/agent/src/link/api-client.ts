import type {
  AgentEvent,
  CommandFrame,
  FrameAnswer,
  OutputReport,
  ResultReport,
  SessionRequest,
  SessionResponse,
} from '@gwanje/contracts';
import { NO_SPAN, type Span, Tracing } from '@gwanje/tracing';
import { Injectable, Logger } from '@nestjs/common';
import { AgentConfig } from '../config';
import { backoffMs, messageOf, wait } from '../waiting';
import { Connections } from './connections';
import { WebSocketLink } from './web-socket';

export interface Refusal {
  ok: false;
  status: number;
  detail: string;
}
export type Answer<T> = { ok: true; body: T } | Refusal;

export interface Artifact {
  id: string;
  sha256: string;
  size: number;
}

interface CallOptions {
  signal?: AbortSignal;
  headers?: Record<string, string>;
  timeoutMs?: number;
  /** One try only: for the last words of an agent that stops. */
  once?: boolean;
}

const JSON_HEADERS = { 'Content-Type': 'application/json' };
const REQUEST_TIMEOUT_MS = 15_000;
/** A line slower than this (256 KiB/s) is given up by an upload and tried again. */
const SLOWEST_BYTES_PER_MS = 262;

/** What one call says, over HTTP and, where it has such a form, over a WebSocket. */
interface Call {
  path: string;
  body: string | Buffer;
  frame?: { event: AgentEvent; data: object };
  /** The trace that it continues. */
  traceparent?: string;
}

/**
 * Owns the calls to the server, repeated until it answers; it must never decide what an answer means for a command. The first try goes
 * over the WebSocket when one is live, every other over HTTP: the server takes the same words again as a no-op, by whichever way they come.
 */
@Injectable()
export class ApiClient {
  private readonly log = new Logger('api');
  private heardAt = -Infinity;

  constructor(
    private readonly config: AgentConfig,
    private readonly connections: Connections,
    private readonly socket: WebSocketLink,
    private readonly tracing: Tracing,
  ) {}

  /** Always over HTTP: it comes before the connection. */
  session(body: SessionRequest, signal?: AbortSignal): Promise<Answer<SessionResponse>> {
    const call = { path: '/api/agents/session', body: JSON.stringify(body) };
    return this.repeat<SessionResponse>(call, { signal, headers: JSON_HEADERS });
  }

  /** Keeps the promise of the event stream until the signal fires: says that this agent lives when it has said nothing else for a while. */
  async keepHeard(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Agents that came at the same moment do not speak at the same moment.
      const dueMs = this.config.aliveEveryMs * (0.85 + 0.15 * Math.random());
      if (performance.now() - this.heardAt >= dueMs)
        await this.repeat({ path: '/api/agents/alive', body: '' }, { signal });
      await wait(Math.max(0, this.heardAt + dueMs - performance.now()), signal);
    }
  }

  start(command: CommandFrame, signal?: AbortSignal): Promise<Answer<unknown>> {
    return this.say('start', command, { attempt: command.attempt }, { signal });
  }

  output(id: string, body: OutputReport, signal?: AbortSignal): Promise<Answer<unknown>> {
    // Not traced: a command may have any number of them.
    return this.say('output', { id }, body, { signal });
  }

  result(command: CommandFrame, body: ResultReport, options: CallOptions = {}): Promise<Answer<unknown>> {
    return this.say('result', command, body, options);
  }

  artifact(id: string, name: string, type: string, bytes: Buffer, signal?: AbortSignal): Promise<Answer<Artifact>> {
    const headers = { 'Content-Type': type, 'X-File-Name': encodeURIComponent(name) };
    const timeoutMs = REQUEST_TIMEOUT_MS + Math.ceil(bytes.length / SLOWEST_BYTES_PER_MS);
    return this.repeat<Artifact>({ path: pathOf(id, 'artifacts'), body: bytes }, { signal, headers, timeoutMs });
  }

  /** One try. Rejects for more than `most` bytes, and for anything but the whole answer. */
  async download(path: string, most: number): Promise<Buffer> {
    const response = await this.connections.fetch(path, {
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS + Math.ceil(most / SLOWEST_BYTES_PER_MS)),
    });
    if (!response.ok || !response.body) throw new Error(`${path}: the server answered ${response.status}`);
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > most) throw new Error(`${path}: more than ${most} bytes came`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  private say(
    event: AgentEvent,
    { id, traceparent }: Pick<CommandFrame, 'id' | 'traceparent'>,
    body: object,
    options: CallOptions,
  ): Promise<Answer<unknown>> {
    const frame = { event, data: { id, ...body } };
    const call = { path: pathOf(id, event), body: JSON.stringify(body), frame, traceparent };
    return this.repeat(call, { headers: JSON_HEADERS, ...options });
  }

  /** Rejects only when the signal fires, or after the only try. */
  private async repeat<T>(call: Call, options: CallOptions): Promise<Answer<T>> {
    for (let failures = 0; ; failures++) {
      options.signal?.throwIfAborted();
      try {
        return await this.traced(call, failures, (span) => this.tryOnce<T>(call, options, failures === 0, span));
      } catch (error) {
        options.signal?.throwIfAborted();
        if (options.once) throw error;
        if ((error as Error).name === 'TimeoutError') this.connections.renew();
        if (failures % 10 === 0) this.log.warn(`${call.path}: ${messageOf(error)}; trying again`);
      }
      await wait(backoffMs(failures), options.signal);
    }
  }

  /** A span for each try, as OpenTelemetry has it for HTTP; over a WebSocket it is the same call. */
  private traced<T>({ frame, traceparent }: Call, failures: number, work: (span: Span) => Promise<T>): Promise<T> {
    if (!frame || !traceparent) return work(NO_SPAN);
    const { hostname, port, protocol } = new URL(this.config.serverUrl);
    const attributes = {
      'http.request.method': 'POST',
      'http.request.resend_count': failures || undefined,
      'server.address': hostname,
      'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    };
    const name = `POST /api/commands/{id}/${frame.event}`;
    return this.tracing.during({ name, kind: 'client', parent: traceparent, attributes }, work);
  }

  private async tryOnce<T>(call: Call, options: CallOptions, isFirst: boolean, span: Span): Promise<Answer<T>> {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? REQUEST_TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([options.signal, timeout]) : timeout;
    const { frame } = call;
    const { traceparent } = span;
    const spoken = frame && isFirst ? this.socket.ask(frame.event, frame.data, signal, traceparent) : null;
    const saidAt = performance.now();
    const { status, body } = await (spoken ?? this.post(call, options, signal, traceparent));
    span.set({ 'network.protocol.name': spoken ? 'websocket' : 'http', 'http.response.status_code': status });
    if (status < 500) this.heardAt = saidAt;
    if (status >= 200 && status < 300) return { ok: true, body: body as T };
    if (status >= 500 || status === 429 || status === 408) throw new Error(`the server answered ${status}`);
    return { ok: false, status, detail: detailOf(body) };
  }

  /** The body is the parsed JSON, or the text that was none. */
  private async post(
    { path, body }: Call,
    { headers }: CallOptions,
    signal: AbortSignal,
    traceparent?: string,
  ): Promise<FrameAnswer> {
    const response = await this.connections.fetch(path, {
      method: 'POST',
      headers: { ...headers, ...(traceparent && { traceparent }) },
      body,
      signal,
    });
    return { status: response.status, body: parse(await response.text()) };
  }
}

function pathOf(id: string, call: string): string {
  return `/api/commands/${encodeURIComponent(id)}/${call}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function detailOf(problem: unknown): string {
  if (problem && typeof problem === 'object') {
    if ('detail' in problem && typeof problem.detail === 'string') return problem.detail;
    if ('title' in problem && typeof problem.title === 'string') return problem.title;
  }
  return typeof problem === 'string' ? problem.slice(0, 200) : '';
}
