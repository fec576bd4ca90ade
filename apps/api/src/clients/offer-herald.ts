import type { UpdateFrame } from '@gwanje/contracts';
import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { AgentBundle } from './agent-bundle.service';
import { GatewayService } from './gateway.service';

const LOOK_MS = 1_000;
/** Agents told at each look: ten thousand do not fetch the bundle in the same second, and a few are told at once. */
const AT_ONCE = 20;

/**
 * Tells the agents whose connections this process holds that another version is offered; those that come later hear it with their session.
 * Files that are being replaced are waited for. It never decides who takes a version up: that is the agent's.
 */
@Injectable()
export class OfferHerald implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('OfferHerald');
  private timer?: NodeJS.Timeout;
  private stampBefore?: string;
  private announced?: string;
  private untold: string[] = [];

  constructor(
    private readonly bundle: AgentBundle,
    private readonly gateway: GatewayService,
  ) {}

  onApplicationBootstrap(): void {
    this.announced = this.stampBefore = this.bundle.stamp();
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    try {
      const stamp = this.bundle.stamp();
      if (stamp === this.stampBefore && stamp !== this.announced) {
        this.announced = stamp;
        this.untold = this.gateway.clientIds;
      }
      this.stampBefore = stamp;
      const told = this.untold.splice(0, AT_ONCE);
      const version = told.length > 0 ? this.bundle.offered() : undefined;
      if (version) for (const id of told) this.gateway.tellOfUpdate(id, { version } satisfies UpdateFrame);
    } catch (error) {
      this.log.warn(`not announced: ${(error as Error).message}`);
    }
  }
}
