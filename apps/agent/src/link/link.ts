import type { ByeFrame } from '@gwanje/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { AgentConfig } from '../config';
import { Journal } from '../journal/journal';
import { Policy } from '../policy/policy';
import { Runner } from '../runner/runner';
import { CONNECTED } from '../update/launcher';
import { Updater } from '../update/updater';
import { VERSION } from '../version';
import { messageOf, spreadMs, wait } from '../waiting';
import { ApiClient } from './api-client';
import { Connections } from './connections';
import { EventStream } from './event-stream';
import { isCancel, isCommand, isUpdate, UpgradeRefused } from './transport';
import { WebSocketLink } from './web-socket';

const REPLACED_WAIT_MS = 30_000;
/** WebSockets that fail in a row before the server has said hello; then an event stream takes its turn. */
const SOCKET_TRIES = 3;

/** Owns the one connection that commands come by, its reconnecting and the choice of its transport; it must never run or judge a command. */
@Injectable()
export class Link {
  private readonly log = new Logger('link');
  private readonly stopping = new AbortController();
  private failures = 0;
  private socketFailures = 0;
  private pauseMs = 0;

  constructor(
    private readonly config: AgentConfig,
    private readonly api: ApiClient,
    private readonly connections: Connections,
    private readonly stream: EventStream,
    private readonly socket: WebSocketLink,
    private readonly journal: Journal,
    private readonly policy: Policy,
    private readonly runner: Runner,
    private readonly updater: Updater,
  ) {}

  /** Ends after `stop()` only. */
  async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      this.pauseMs = 0;
      try {
        await this.openSession(signal);
        await this.listen(signal);
        this.log.warn('the connection ended');
      } catch (error) {
        if (!signal.aborted) this.log.warn(`no connection: ${messageOf(error)}`);
        this.connections.renew();
      }
      const pause = Math.max(this.pauseMs, spreadMs(this.failures++));
      await wait(pause, signal).catch(() => undefined);
    }
  }

  stop(): void {
    this.stopping.abort();
  }

  /** Both sides compare what they believe is in flight before the connection goes live. */
  private async openSession(signal: AbortSignal): Promise<void> {
    const actions = this.policy.allowedActions().map((name) => ({ name }));
    const ordinal = await this.journal.nextSession();
    const request = {
      version: VERSION,
      platform: process.platform,
      actions,
      inFlight: this.journal.inFlight(),
      ordinal,
    };
    // kill point: link.before-session
    const { rolledBack } = this.updater;
    let answer = await this.api.session({ ...request, ...(rolledBack && { rolledBack }) }, signal);
    // A server from before there was this word takes no session that has it.
    if (!answer.ok && answer.status === 400 && rolledBack) answer = await this.api.session(request, signal);
    if (!answer.ok) throw new Error(`the server refused the session (${answer.status}): ${answer.detail}`);
    // kill point: link.after-session
    await this.runner.drop(answer.body?.drop ?? []);
    this.runner.resume();
    this.updater.consider(answer.body?.agentVersion);
  }

  /** Every new connection tries the WebSocket first, if there is to be one: what was in its way may be gone. */
  private async listen(signal: AbortSignal): Promise<void> {
    const via = (transport: string) => (event: string, data: unknown) => this.handle(event, data, transport);
    if (this.config.transport === 'ws' && this.socketFailures < SOCKET_TRIES) {
      this.socketFailures++;
      try {
        return await this.socket.listen(signal, via('WebSocket'));
      } catch (error) {
        if (!(error instanceof UpgradeRefused)) throw error;
        this.log.warn(`${error.message}: server-sent events instead`);
      }
    }
    this.socketFailures = 0;
    const over = new AbortController();
    void this.api.keepHeard(AbortSignal.any([signal, over.signal])).catch(() => undefined);
    await this.stream.listen(signal, via('server-sent events')).finally(() => over.abort());
  }

  private handle(event: string, data: unknown, transport: string): void {
    if (event === 'hello') {
      this.failures = 0;
      this.socketFailures = 0;
      process.send?.(CONNECTED);
      this.log.log(`connected to ${this.config.serverUrl} by ${transport}`);
    } else if (event === 'command') {
      if (isCommand(data)) void this.runner.accept(data);
      else this.log.error('a command without id, action, payload or attempt was ignored');
    } else if (event === 'cancel') {
      if (isCancel(data)) void this.runner.cancel(data);
    } else if (event === 'update') {
      if (isUpdate(data)) this.updater.consider(data.version);
    } else if (event === 'bye') {
      this.bye(data ?? {});
    }
  }

  /** Two agents with one key would take the connection from each other for ever without the wait. */
  private bye({ reason }: Partial<ByeFrame>): void {
    this.log.warn(`the server closes the connection: ${reason ?? 'no reason given'}`);
    if (reason === 'replaced') this.pauseMs = REPLACED_WAIT_MS;
  }
}
