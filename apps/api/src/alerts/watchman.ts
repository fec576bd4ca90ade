import { Injectable, Logger, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { Config } from '../core/config/config';
import { type AlertNews, AlertStore, type WatchedRule } from './alert-store';
import { Judge } from './judge';
import { Postman } from './postman';

/** A rule is looked at every so many rounds of the sweepers. */
const ROUNDS_BETWEEN_LOOKS = 5;
const KEPT_DAYS = 90;
const FORGOTTEN_AT_ONCE = 500;

/**
 * Looks at every rule every few seconds, and writes down what fires and what is over. Any number of copies: each rule is locked by whoever
 * looks at it, and looked at by one of them. What there is to tell is the postman's.
 */
@Injectable()
export class Watchman implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly log = new Logger('Watchman');
  private timer?: NodeJS.Timeout;
  private running?: Promise<void>;
  private stopped = false;

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly judge: Judge,
    private readonly store: AlertStore,
    private readonly postman: Postman,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setTimeout(() => this.start(), this.config.SWEEP_MS);
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private start(): void {
    this.running = this.round().finally(() => {
      if (!this.stopped) this.timer = setTimeout(() => this.start(), this.config.SWEEP_MS);
    });
  }

  private async round(): Promise<void> {
    try {
      let looked = true;
      while (looked && !this.stopped) looked = await this.lookAtNext();
      await this.store.forget(KEPT_DAYS, FORGOTTEN_AT_ONCE, this.database);
    } catch (error) {
      this.log.warn(`round not finished: ${(error as Error).message}`);
    }
    await this.postman.sweep();
  }

  /** False when no rule is due. */
  private async lookAtNext(): Promise<boolean> {
    const news: AlertNews[] = [];
    const rule = await this.database.transaction(async (transaction) => {
      const [due] = await transaction.query<(WatchedRule & { toldBelow: string })[]>(
        `SELECT id, name, condition, channels, past::text AS past, told_below::text AS "toldBelow" FROM alert_rules
         WHERE enabled AND judged_at <= now() - make_interval(secs => $1) ORDER BY judged_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
        [(ROUNDS_BETWEEN_LOOKS * this.config.SWEEP_MS) / 1000],
      );
      if (due) await transaction.query('UPDATE alert_rules SET judged_at = now() WHERE id = $1', [due.id]);
      // What fails to be looked at is put aside, and no hindrance to the others.
      if (due) {
        await transaction
          .transaction((inner) => this.look(due, inner))
          .then((found) => news.push(...found))
          .catch((error: Error) => this.log.warn(`rule ${due.id}: ${error.message}`));
      }
      return due;
    });
    for (const one of news) this.store.announce(one);
    return rule !== undefined;
  }

  private async look(rule: WatchedRule & { toldBelow: string }, transaction: EntityManager): Promise<AlertNews[]> {
    const { fires, resolves, toldBelow } = await this.judge.look(rule, rule.toldBelow, transaction);
    const news = [await this.store.resolve(rule.id, resolves, transaction), await this.store.fire(rule, fires, transaction)];
    await transaction.query('UPDATE alert_rules SET told_below = $2::text::xid8 WHERE id = $1', [rule.id, toldBelow]);
    return news;
  }
}
