import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { GatewayService } from '../clients/gateway.service';
import { Config } from '../core/config/config';
import { Bus } from '../core/events/bus.service';
import { CommandStore } from './command-store';
import { Dispatcher } from './dispatcher';

const AT_ONCE = 500;

/** Finds, from PostgreSQL alone, what should have been dispatched, timed out, expired or retried. Any number of copies. */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('Sweeper');
  private timer?: NodeJS.Timeout;
  private stopped = false;

  constructor(
    private readonly store: CommandStore,
    private readonly dispatcher: Dispatcher,
    private readonly gateway: GatewayService,
    private readonly bus: Bus,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setTimeout(() => void this.round(), this.config.SWEEP_MS);
  }

  onApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private async round(): Promise<void> {
    try {
      await this.gateway.buryDead();
      const ended = [...(await this.store.expire(AT_ONCE)), ...(await this.store.timeOut(AT_ONCE))];
      for (const { id, clientId, attempt } of ended) {
        this.bus.publish('command', { id });
        this.bus.publish('cancel', { clientId, id, attempt });
      }
      // Claimed here and not through the queue: what is found here is late already, and Redis may be the reason.
      await this.dispatcher.dispatch(await this.store.findStarving(AT_ONCE));
    } catch (error) {
      this.log.warn(`round not finished: ${(error as Error).message}`);
    }
    if (!this.stopped) this.timer = setTimeout(() => void this.round(), this.config.SWEEP_MS);
  }
}
