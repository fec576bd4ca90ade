import { ACTIONS, type CommandState } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { Counter, Histogram } from 'prom-client';
import { metric } from '../core/http/metric';

/** A move that was committed; `seconds` since the command was created, or since it was due if that was later. */
export interface Moved {
  action: string;
  status: CommandState;
  seconds: number;
}

const DISPATCH_BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600];
const COMPLETION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

/** Counts what this process did to commands, after the commit. Actions of agents' own go under one name: their number has no bound. */
@Injectable()
export class CommandMetrics {
  private readonly created = metric('gwanje_commands_created_total', (name) => new Counter({ name, help: 'Commands stored', labelNames: ['action'] }));
  private readonly ended = metric(
    'gwanje_commands_ended_total', (name) => new Counter({ name, help: 'Commands that reached an end state, as the process heard of it', labelNames: ['action', 'state'] }),
  );
  private readonly dispatch = metric(
    'gwanje_command_dispatch_seconds',
    (name) => new Histogram({ name, help: 'From creation, or from when it was due, until the command was claimed for a live connection', buckets: DISPATCH_BUCKETS }),
  );
  private readonly completion = metric(
    'gwanje_command_completion_seconds',
    (name) => new Histogram({ name, help: 'From creation, or from when it was due, until the result was durable', labelNames: ['action'], buckets: COMPLETION_BUCKETS }),
  );

  noteCreated(action: string, count: number): void {
    this.created.inc({ action: known(action) }, count);
  }

  noteDispatched(claimed: readonly { seconds: number }[]): void {
    for (const { seconds } of claimed) this.dispatch.observe(Math.max(0, seconds));
  }

  /** Those that started are not counted. */
  noteEnded(moved: readonly (Pick<Moved, 'action' | 'status'> & Partial<Moved>)[]): void {
    for (const { action, status, seconds } of moved) {
      if (status === 'running' || status === 'pending') continue;
      this.ended.inc({ action: known(action), state: status });
      if (seconds !== undefined) this.completion.observe({ action: known(action) }, Math.max(0, seconds));
    }
  }
}

const known = (action: string): string => (ACTIONS[action] ? action : 'other');
