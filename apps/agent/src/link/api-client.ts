import type { OutputReport, ResultReport, SessionRequest, SessionResponse } from '@gwanje/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { AgentConfig } from '../config';
import { backoffMs, messageOf, wait } from '../waiting';

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

const REQUEST_TIMEOUT_MS = 15_000;
/** A line slower than this (256 KiB/s) is given up by an upload and tried again. */
const SLOWEST_BYTES_PER_MS = 262;

/** Owns the calls to the server, repeated until it answers; it must never decide what an answer means for a command. */
@Injectable()
export class ApiClient {
  private readonly log = new Logger('api');

  constructor(private readonly config: AgentConfig) {}

  session(body: SessionRequest, signal?: AbortSignal): Promise<Answer<SessionResponse>> {
    return this.json<SessionResponse>('/api/agents/session', body, { signal });
  }

  start(id: string, attempt: number, signal?: AbortSignal): Promise<Answer<unknown>> {
    return this.json(`/api/commands/${encodeURIComponent(id)}/start`, { attempt }, { signal });
  }

  output(id: string, body: OutputReport, signal?: AbortSignal): Promise<Answer<unknown>> {
    return this.json(`/api/commands/${encodeURIComponent(id)}/output`, body, { signal });
  }

  result(id: string, body: ResultReport, options: CallOptions = {}): Promise<Answer<unknown>> {
    return this.json(`/api/commands/${encodeURIComponent(id)}/result`, body, options);
  }

  artifact(id: string, name: string, type: string, bytes: Buffer, signal?: AbortSignal): Promise<Answer<Artifact>> {
    const headers = { 'Content-Type': type, 'X-File-Name': encodeURIComponent(name) };
    const timeoutMs = REQUEST_TIMEOUT_MS + Math.ceil(bytes.length / SLOWEST_BYTES_PER_MS);
    const options = { signal, headers, timeoutMs };
    return this.repeat<Artifact>(`/api/commands/${encodeURIComponent(id)}/artifacts`, bytes, options);
  }

  private json<T>(path: string, body: object, options: CallOptions): Promise<Answer<T>> {
    return this.repeat<T>(path, JSON.stringify(body), { headers: { 'Content-Type': 'application/json' }, ...options });
  }

  /** Rejects only when the signal fires, or after the only try. */
  private async repeat<T>(path: string, body: string | Buffer, options: CallOptions): Promise<Answer<T>> {
    for (let failures = 0; ; failures++) {
      options.signal?.throwIfAborted();
      try {
        return await this.tryOnce<T>(path, body, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (options.once) throw error;
        if (failures % 10 === 0) this.log.warn(`${path}: ${messageOf(error)}; trying again`);
      }
      await wait(backoffMs(failures), options.signal);
    }
  }

  private async tryOnce<T>(path: string, body: string | Buffer, options: CallOptions): Promise<Answer<T>> {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? REQUEST_TIMEOUT_MS);
    const response = await fetch(this.config.serverUrl + path, {
      method: 'POST',
      headers: { ...options.headers, Authorization: `Bearer ${this.config.clientKey}` },
      body,
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    });
    const text = await response.text();
    if (response.ok) return { ok: true, body: parse(text) as T };
    if (response.status >= 500 || response.status === 429 || response.status === 408) {
      throw new Error(`the server answered ${response.status}`);
    }
    return { ok: false, status: response.status, detail: detailOf(text) };
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function detailOf(text: string): string {
  const problem = parse(text);
  if (problem && typeof problem === 'object') {
    if ('detail' in problem && typeof problem.detail === 'string') return problem.detail;
    if ('title' in problem && typeof problem.title === 'string') return problem.title;
  }
  return text.slice(0, 200);
}
