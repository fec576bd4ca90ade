import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { Config } from '../core/config/config';

/** Every round that drops something leaves a record. */
const ROUND_MS = 3_600_000;
const ROWS_AT_ONCE = 50_000;

/** Has the database drop what the owner's policy no longer keeps; the database decides what that is, and records it. */
@Injectable()
export class Retention implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('Retention');
  private timer?: NodeJS.Timeout;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    if (this.config.AUDIT_RETENTION_DAYS === 0) return;
    void this.round();
    this.timer = setInterval(() => void this.round(), ROUND_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Answers how many rows were dropped. */
  async drop(): Promise<number> {
    for (let total = 0; ; ) {
      const [dropped] = await this.database.query<{ rows: number }[]>('SELECT audit_drop_expired($1, $2)::float8 AS rows', [uuid(), ROWS_AT_ONCE]);
      if (!dropped?.rows) return total;
      total += dropped.rows;
      this.log.log(`dropped ${dropped.rows} audit rows, as the policy says`);
    }
  }

  private async round(): Promise<void> {
    await this.drop().catch((error: Error) => this.log.warn(`round not finished: ${error.message}`));
  }
}
