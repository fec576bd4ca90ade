import { Injectable, Logger } from '@nestjs/common';
import type { ByeFrame, CancelFrame, CommandFrame } from '@gwanje/contracts';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { AgentConfig } from '../config';
import { Journal } from '../journal/journal';
import { Policy } from '../policy/policy';
import { Runner } from '../runner/runner';
import { VERSION } from '../version';
import { backoffMs, messageOf, wait } from '../waiting';
import { ApiClient } from './api-client';

const REPLACED_WAIT_MS = 30_000;
const BACKOFF_CAP_MS = 10_000;

/** Owns the one stream of commands and its reconnecting; it must never run or judge a command. */
@Injectable()
export class EventStreamLink {
  private readonly log = new Logger('link');
  private readonly stopping = new AbortController();
  private failures = 0;
  private pauseMs = 0;

  constructor(
    private readonly config: AgentConfig,
    private readonly api: ApiClient,
    private readonly journal: Journal,
    private readonly policy: Policy,
    private readonly runner: Runner,
  ) {}

  /** Ends after `stop()` only. */
  async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      this.pauseMs = 0;
      try {
        await this.openSession(signal);
        await this.listen(signal);
        this.log.warn('the stream ended');
      } catch (error) {
        if (!signal.aborted) this.log.warn(`no stream: ${messageOf(error)}`);
      }
      const pause = Math.max(this.pauseMs, backoffMs(this.failures++, 200, BACKOFF_CAP_MS));
      await wait(pause, signal).catch(() => undefined);
    }
  }

  stop(): void {
    this.stopping.abort();
  }

  /** Both sides compare what they believe is in flight before the stream goes live. */
  private async openSession(signal: AbortSignal): Promise<void> {
    const actions = this.policy.allowedActions().map((name) => ({ name }));
    const request = { version: VERSION, platform: process.platform, actions, inFlight: this.journal.inFlight() };
    const answer = await this.api.session(request, signal);
    if (!answer.ok) throw new Error(`the server refused the session (${answer.status}): ${answer.detail}`);
    await this.runner.drop(answer.body?.drop ?? []);
    this.runner.resume();
  }

  /** A half-open connection never errors by itself: the server speaks at least every 15 s, so silence means that it is gone. */
  private async listen(signal: AbortSignal): Promise<void> {
    const silence = new AbortController();
    const { silenceMs } = this.config;
    const timer = setTimeout(() => silence.abort(new Error(`no byte for ${silenceMs} ms`)), silenceMs);
    try {
      const response = await fetch(`${this.config.serverUrl}/api/events/me`, {
        headers: { Authorization: `Bearer ${this.config.clientKey}`, Accept: 'text/event-stream' },
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (!response.ok || !response.body) throw new Error(`the server answered ${response.status}`);
      const decoder = new TextDecoder();
      const parser = createParser({ onEvent: (event) => this.handle(event) });
      for await (const bytes of response.body as unknown as AsyncIterable<Uint8Array>) {
        timer.refresh();
        parser.feed(decoder.decode(bytes, { stream: true }));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  private handle(event: EventSourceMessage): void {
    let data: unknown;
    try {
      data = JSON.parse(event.data || '{}');
    } catch {
      this.log.warn(`event ${event.event ?? 'message'} is not JSON`);
      return;
    }
    if (event.event === 'hello') {
      this.failures = 0;
      this.log.log(`connected to ${this.config.serverUrl}`);
    } else if (event.event === 'command') {
      if (isCommand(data)) void this.runner.accept(data);
      else this.log.error(`a command without id, action, payload or attempt was ignored: ${event.id ?? ''}`);
    } else if (event.event === 'cancel') {
      if (isCancel(data)) void this.runner.cancel(data);
    } else if (event.event === 'bye') {
      this.bye(data as Partial<ByeFrame>);
    }
  }

  /** Two agents with one key would take the stream from each other for ever without the wait. */
  private bye({ reason }: Partial<ByeFrame>): void {
    this.log.warn(`the server closes the stream: ${reason ?? 'no reason given'}`);
    if (reason === 'replaced') this.pauseMs = REPLACED_WAIT_MS;
  }
}

function isCancel(data: unknown): data is CancelFrame {
  const frame = data as Partial<CancelFrame> | null;
  return !!frame && typeof frame.id === 'string' && typeof frame.attempt === 'number';
}

function isCommand(data: unknown): data is CommandFrame {
  if (!isCancel(data)) return false;
  const frame = data as Partial<CommandFrame>;
  return (
    typeof frame.action === 'string' &&
    !!frame.payload &&
    typeof frame.payload === 'object' &&
    typeof frame.priority === 'number' &&
    typeof frame.timeoutMs === 'number'
  );
}
