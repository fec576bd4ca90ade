import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { TooManyAttempts } from '../core/errors/errors';

/** Failures before the first wait: of one address for one account, and of all addresses together. */
const FREE_FROM_ONE_ADDRESS = 5;
const FREE_FROM_ALL = 50;
const FIRST_WAIT_SECONDS = 5;
const LONGEST_WAIT_SECONDS = 900;
const FORGET_AFTER = '1 day';

/** Slows guessing down: each failed log-in beyond the first few doubles the wait. Counts in PostgreSQL, whether or not the account exists. */
@Injectable()
export class LoginGuard {
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Runs `check`, which answers null for a failure, unless one has to wait; throws TooManyAttempts then. */
  async attempt<T>(email: string, address: string, check: () => Promise<T | null>): Promise<T | null> {
    const keys = [keyOf(email, address), keyOf(email)];
    return this.inTurn(email.toLowerCase(), async () => {
      const wait = await this.wait(keys);
      if (wait > 0) throw new TooManyAttempts('Too many failed log-ins', wait);
      const found = await check();
      if (found === null) await this.count(keys);
      else await this.database.query(`DELETE FROM login_failures WHERE key = ANY($1) OR last_at < now() - interval '${FORGET_AFTER}'`, [keys]);
      return found;
    });
  }

  /** Guesses at one account are looked at one after another, so that many at once count as many. */
  private inTurn<T>(account: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.turns.get(account) ?? Promise.resolve()).then(act, act);
    this.turns.set(account, turn);
    const leave = (): void => {
      if (this.turns.get(account) === turn) this.turns.delete(account);
    };
    turn.then(leave, leave);
    return turn;
  }

  /** Whole seconds. */
  private async wait(keys: Buffer[]): Promise<number> {
    const [row] = await this.database.query<{ wait: number | null }[]>(
      'SELECT ceil(extract(epoch FROM max(locked_until) - now()))::integer AS wait FROM login_failures WHERE key = ANY($1)', [keys],
    );
    return row?.wait ?? 0;
  }

  private async count(keys: Buffer[]): Promise<void> {
    await this.database.query(
      `INSERT INTO login_failures AS f (key, failures) SELECT key, 1 FROM unnest($1::bytea[]) key
       ON CONFLICT (key) DO UPDATE SET failures = CASE WHEN f.last_at < now() - interval '${FORGET_AFTER}' THEN 1 ELSE f.failures + 1 END, last_at = now()`,
      [keys],
    );
    await this.database.query(
      `UPDATE login_failures SET locked_until = now() + make_interval(secs => least($3 * 2.0 ^ least(failures - free, 20), $4))
       FROM unnest($1::bytea[], $2::integer[]) AS limits (of, free) WHERE key = of AND failures >= free`,
      [keys, [FREE_FROM_ONE_ADDRESS, FREE_FROM_ALL], FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS],
    );
  }
}

const keyOf = (...parts: string[]): Buffer => createHash('sha256').update(JSON.stringify(parts.map((part) => part.toLowerCase()))).digest();
