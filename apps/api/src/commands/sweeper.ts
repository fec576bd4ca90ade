import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { Gauge } from 'prom-client';
import type { EntityManager } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import { GatewayService } from '../clients/gateway.service';
import { SYSTEM } from '../core/access/access';
import { Config } from '../core/config/config';
import { Bus } from '../core/events/bus.service';
import { metric } from '../core/http/metric';
import { MetricSources } from '../core/http/metric-sources';
import { RbacService } from '../rbac/rbac.service';
import { CommandMetrics } from './command-metrics';
import { CommandSweeps, type DoubtfulCommand } from './command-sweeps';
import { Dispatcher } from './dispatcher';
import { PayloadSecrets } from './payload-secrets.service';

const AT_ONCE = 500;

/** Finds, from PostgreSQL alone, what should have been dispatched, timed out, expired or retried. Any number of copies. */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('Sweeper');
  private readonly age = metric('gwanje_sweep_age_seconds', (name) => new Gauge({ name, help: 'Since the last round of the sweeper that was finished' }));
  private finishedAt = performance.now();
  private timer?: NodeJS.Timeout;
  private stopped = false;

  constructor(
    private readonly sweeps: CommandSweeps,
    private readonly dispatcher: Dispatcher,
    private readonly gateway: GatewayService,
    private readonly bus: Bus,
    private readonly rbac: RbacService,
    private readonly secrets: PayloadSecrets,
    private readonly audit: AuditService,
    private readonly config: Config,
    private readonly metrics: CommandMetrics,
    private readonly sources: MetricSources,
  ) {}

  onApplicationBootstrap(): void {
    this.sources.add(() => this.age.set((performance.now() - this.finishedAt) / 1000));
    this.timer = setTimeout(() => void this.round(), this.config.SWEEP_MS);
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async round(): Promise<void> {
    try {
      await this.gateway.buryDead();
      const ended = [
        ...(await this.sweeps.expire(AT_ONCE)), ...(await this.sweeps.timeOut(AT_ONCE)),
        ...(await this.sweeps.judgeDoubtful(AT_ONCE, (command, transaction) => this.judge(command, transaction))),
        ...(await this.sweeps.cancelOrphans(AT_ONCE)),
      ];
      // kill point: sweep.after-commits
      this.metrics.noteEnded(ended);
      if (ended.length > 0) this.bus.publish('commands', { ids: ended.map(({ id }) => id) });
      for (const { id, clientId, attempt, status } of ended) {
        this.bus.publish('cancel', { clientId, id, attempt, reason: status === 'timed_out' ? 'timed_out' : 'cancelled' });
      }
      // Claimed here and not through the queue: what is found here is late already, and Redis may be the reason.
      await this.dispatcher.dispatch(await this.sweeps.findStarving(AT_ONCE));
      this.finishedAt = performance.now();
    } catch (error) {
      this.log.warn(`round not finished: ${(error as Error).message}`);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.round(), this.config.SWEEP_MS);
  }

  /** Why a command that waits may no longer be run, or null; the reason is written down before it takes effect. */
  private async judge(command: DoubtfulCommand, transaction: EntityManager): Promise<string | null> {
    const { id, clientId } = command;
    const reason = await this.rbac.mayNoMore(command.authorizedBy, { ...command, payload: this.secrets.open(command) ?? command.payload }, transaction);
    if (reason) {
      await this.audit.record({ by: SYSTEM, action: 'commands.cancel', target: { type: 'command', id }, clientId, outcome: 'done', detail: { reason } }, transaction);
    }
    return reason;
  }
}
