import { Injectable, Logger } from '@nestjs/common';

/** Figures that are asked for when somebody looks, and not counted as they change. */
@Injectable()
export class MetricSources {
  private readonly log = new Logger('Metrics');
  private readonly sources: (() => Promise<void> | void)[] = [];

  /** `source` sets its gauges. */
  add(source: () => Promise<void> | void): void {
    this.sources.push(source);
  }

  /** A part that is away costs its own figures only: they stay as they were. */
  async refresh(): Promise<void> {
    const results = await Promise.allSettled(this.sources.map(async (source) => source()));
    for (const result of results) if (result.status === 'rejected') this.log.warn(`not measured: ${(result.reason as Error).message}`);
  }
}
