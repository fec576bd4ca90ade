import { ACTIONS, type CancelFrame, type CommandFrame, type ResultReport } from '@gwanje/contracts';
import { commandAttributes, type Span, Tracing } from '@gwanje/tracing';
import { Injectable, Logger } from '@nestjs/common';
import { AgentConfig } from '../config';
import { HandlerRegistry } from '../handlers/handler-registry';
import { Journal } from '../journal/journal';
import { ApiClient } from '../link/api-client';
import { atMost, messageOf } from '../waiting';
import { Attempt } from './attempt';
import { PayloadCheck } from './payload-check';
import { killTree } from './process-tree';
import { CommandQueue } from './queue';
import { ResultPoster } from './result-poster';

const STOP_GRACE_MS = 5_000;
const STOP_OUTPUT_MS = 3_000;

/** Owns the life of each command on this machine; it must never run an attempt twice or before the server's yes. */
@Injectable()
export class Runner {
  private readonly log = new Logger('runner');
  private readonly queue: CommandQueue;
  private readonly active = new Map<string, Attempt>();
  /** Events about one command are handled one after another. */
  private readonly turns = new Map<string, Promise<void>>();
  /** Finished commands whose last output is still on its way: their result must not overtake it. */
  private readonly closing = new Map<string, Promise<void>>();
  private stopping = false;
  /** Only emergencies start. */
  private draining = false;

  constructor(
    config: AgentConfig,
    private readonly journal: Journal,
    private readonly api: ApiClient,
    private readonly handlers: HandlerRegistry,
    private readonly check: PayloadCheck,
    private readonly poster: ResultPoster,
    private readonly tracing: Tracing,
  ) {
    this.queue = new CommandQueue(config.concurrency);
  }

  /** Before the first session. What a crashed agent left running is watched by nobody and could overlap a retry. */
  async recover(): Promise<void> {
    for (const { frame, state } of this.journal.all()) {
      if (state !== 'started') continue;
      // kill point: recover.before-verdict
      await killTree(frame.id);
      if (isIdempotent(frame)) continue;
      const error = 'the agent stopped between start and finish: the command may or may not have happened';
      await this.journal.finished(frame, { attempt: frame.attempt, success: false, outcome: 'indeterminate', error });
    }
  }

  /** After each session: takes up whatever the journal holds and nobody is at. */
  resume(): void {
    for (const { frame, state, result } of this.journal.all()) {
      if (this.turns.has(frame.id) || this.active.has(frame.id)) continue;
      if (this.closing.has(frame.id)) continue;
      if (state === 'finished' && result) void this.poster.post(frame, result);
      else if (!this.queue.has(frame.id)) this.queue.add(frame);
    }
    this.next();
  }

  accept(frame: CommandFrame): Promise<void> {
    return this.inTurn(frame.id, async () => {
      if (this.stopping) return;
      const running = this.active.get(frame.id);
      if (running && running.frame.attempt < frame.attempt) await this.end(running, 'superseded');
      else if (!running) await this.forgetOlder(frame);
      if (!(await this.journal.received(frame))) return;
      // kill point: runner.after-received
      this.log.log(`${frame.id} ${frame.action}: received, attempt ${frame.attempt}`);
      this.queue.remove(frame.id);
      this.queue.add(frame);
      this.next();
    });
  }

  cancel({ id, attempt, reason = 'cancelled' }: CancelFrame): Promise<void> {
    return this.inTurn(id, async () => {
      const entry = this.journal.get(id);
      if (entry?.frame.attempt !== attempt || entry.state === 'finished') return;
      this.log.log(`${id} ${entry.frame.action}: to be ended, ${reason}`);
      const running = this.active.get(id);
      if (running) return running.end(reason);
      this.queue.remove(id);
      await this.finish(entry.frame, {
        attempt,
        success: false,
        outcome: reason,
        error: `${reason.replace('_', ' ')} before it started`,
      });
    });
  }

  /** Commands that are no longer this agent's. A finished one keeps its post: the server's answer to it decides. */
  async drop(ids: readonly string[]): Promise<void> {
    const drops = ids.map((id) =>
      this.inTurn(id, async () => {
        const running = this.active.get(id);
        if (running) await this.end(running, 'dropped');
        this.queue.remove(id);
        const entry = this.journal.get(id);
        if (entry && entry.state !== 'finished') await this.journal.remove(entry.frame);
      }),
    );
    await Promise.all(drops);
  }

  /** Starts nothing but emergencies until all that runs has ended. False, and work goes on, when it has not within `patienceMs`. */
  async drain(patienceMs: number): Promise<boolean> {
    this.draining = true;
    await atMost(patienceMs, Promise.all([...this.active.values()].map((attempt) => attempt.over)));
    if (this.active.size === 0) return true;
    this.endDrain();
    return false;
  }

  endDrain(): void {
    this.draining = false;
    this.next();
  }

  /** What can finish soon may finish; the rest is killed, and said so, or left to the next start if it may run again. */
  async stop(): Promise<void> {
    this.stopping = true;
    await atMost(STOP_GRACE_MS, Promise.all([...this.active.values()].map((attempt) => attempt.over)));
    this.journal.stopWaiting();
    await Promise.all([...this.active.values()].map((attempt) => this.end(attempt, 'stopping')));
    await Promise.all(this.turns.values());
    // The server takes no output after the result.
    await atMost(STOP_OUTPUT_MS, Promise.all(this.closing.values()));
    await this.poster.stop();
  }

  private next(): void {
    while (!this.stopping) {
      const first = this.queue.takeNext(this.active.size, this.draining);
      if (!first) return;
      const span = this.begin(first.frame, first.since);
      const frame = { ...first.frame, traceparent: span.traceparent };
      const attempt = new Attempt(frame, this.api, span);
      this.active.set(frame.id, attempt);
      attempt.over = this.execute(attempt)
        .catch((error: unknown) => this.log.error(`${frame.id}: ${messageOf(error)}`))
        .finally(() => {
          span.end();
          // A later attempt may have begun while the server refused this one.
          if (this.active.get(frame.id) === attempt) this.active.delete(frame.id);
          this.next();
        });
    }
  }

  private begin(frame: CommandFrame, startedAt: number): Span {
    const operation = { 'messaging.operation.name': 'process', 'messaging.operation.type': 'process' };
    const attributes = { ...commandAttributes(frame), ...operation };
    return this.tracing.follow({
      name: 'process commands',
      kind: 'consumer',
      parent: frame.traceparent,
      attributes,
      startedAt,
    });
  }

  private async execute(attempt: Attempt): Promise<void> {
    const { frame } = attempt;
    const wrong = this.check.refusal(frame.action, frame.payload);
    const handler = this.handlers.get(frame.action);
    if (wrong || !handler) {
      return this.finish(frame, {
        attempt: frame.attempt,
        success: false,
        outcome: 'refused',
        error: wrong ?? 'no handler',
      });
    }
    if (!(await this.mayStart(attempt))) return;
    if (!(await this.journal.started(frame))) return;
    // kill point: runner.after-started
    const report = await attempt.run(handler, isIdempotent(frame));
    // kill point: runner.after-run
    if (attempt.reason === 'superseded' || attempt.reason === 'dropped') return this.journal.remove(frame);
    // Its entry stays `started`, and the next start of the agent runs it again.
    if (attempt.reason === 'stopping' && !report.success && isIdempotent(frame)) return;
    await this.finish(frame, report, attempt);
  }

  private async mayStart(attempt: Attempt): Promise<boolean> {
    const { frame } = attempt;
    try {
      // kill point: runner.before-start
      const answer = await this.api.start(frame, attempt.signal);
      if (!answer.ok) {
        this.log.warn(`${frame.id} ${frame.action}: not to be started (${answer.status}): ${answer.detail}`);
        // Any other refusal is not about this command: it stays received, and the next session takes it up again.
        if (answer.status === 404 || answer.status === 409) await this.journal.remove(frame);
        return false;
      }
    } catch (error) {
      if (!attempt.signal.aborted) throw error;
    }
    // kill point: runner.after-start
    if (!attempt.reason) return true;
    if (attempt.reason === 'cancelled') {
      const error = 'cancelled before it started';
      await this.finish(frame, { attempt: frame.attempt, success: false, outcome: 'cancelled', error });
    } else if (attempt.reason !== 'stopping') {
      await this.journal.remove(frame);
    }
    return false;
  }

  /** The outcome is durable before the last output is sent, so a crash in between loses no result. */
  private async finish(frame: CommandFrame, result: ResultReport, attempt?: Attempt): Promise<void> {
    if (!(await this.journal.finished(frame, result))) return;
    // kill point: runner.after-finished
    const outcome = result.outcome ?? (result.success ? 'success' : 'failure');
    attempt?.span.set({ 'gwanje.command.outcome': outcome });
    if (!result.success) attempt?.span.fail(outcome);
    const output = (attempt?.output.close() ?? Promise.resolve()).finally(() => this.closing.delete(frame.id));
    this.closing.set(frame.id, output);
    void output.then(() => this.poster.post(frame, result));
  }

  /** An attempt that a crash left behind and that waits for its repeat gives way to the next one. */
  private async forgetOlder({ id, attempt }: CommandFrame): Promise<void> {
    const entry = this.journal.get(id);
    if (entry?.state === 'started' && entry.frame.attempt < attempt) await this.journal.remove(entry.frame);
  }

  private async end(attempt: Attempt, reason: 'superseded' | 'dropped' | 'stopping'): Promise<void> {
    attempt.end(reason);
    await attempt.over;
  }

  private inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const turn = (this.turns.get(id) ?? Promise.resolve()).then(work).catch((error: unknown) => {
      this.log.error(`${id}: ${messageOf(error)}`);
    });
    const tracked = turn.finally(() => {
      if (this.turns.get(id) === tracked) this.turns.delete(id);
    });
    this.turns.set(id, tracked);
    return tracked;
  }
}

function isIdempotent(frame: CommandFrame): boolean {
  return ACTIONS[frame.action]?.idempotent ?? false;
}
