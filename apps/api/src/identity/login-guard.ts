import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import { type Anonymous, type Person, SYSTEM } from '../core/access/access';
import { networkOf } from '../core/access/network';
import { TooManyAttempts } from '../core/errors/errors';

/** Failures before the first wait: of one address for one account, and of all addresses together. */
const FREE_FROM_ONE_ADDRESS = 5;
const FREE_FROM_ALL = 50;
const FIRST_WAIT_SECONDS = 5;
const LONGEST_WAIT_SECONDS = 900;
const FORGET_AFTER = '1 day';

/** What failures are counted by: an account and a network, or an account alone. */
interface Counter {
  key: Buffer;
  network: string | null;
}

/** Slows guessing down: each failed log-in beyond the first few doubles the wait. Counts in PostgreSQL, whether or not the account exists. */
@Injectable()
export class LoginGuard {
  private readonly turns = new Map<string, Promise<unknown>>();

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly audit: AuditService,
  ) {}

  /** Runs `check`, which answers null for a failure, unless one has to wait; throws TooManyAttempts then. */
  async attempt<T>(email: string, { origin }: Anonymous | Person, check: () => Promise<T | null>): Promise<T | null> {
    const account = await this.accountOf(email);
    const network = networkOf(origin.address);
    const counters = [{ key: keyOf(account, network), network }, { key: keyOf(account), network: null }];
    const keys = counters.map(({ key }) => key);
    return this.inTurn(account, async () => {
      await this.refuseLockedOut(keys);
      await this.tellTurnedAway(account, counters);
      const found = await check();
      if (found === null) await this.count(keys);
      else await this.database.query(`DELETE FROM login_failures WHERE key = ANY($1) OR last_at < now() - interval '${FORGET_AFTER}'`, [keys]);
      return found;
    });
  }

  /** The database alone says which spellings are of the same account: log-in and uniqueness go by the same function. */
  private async accountOf(email: string): Promise<string> {
    const [row] = await this.database.query<{ key: string }[]>('SELECT account_key($1) AS key', [email]);
    return row?.key ?? '';
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

  /** Of each lock-out only the first refusal is one to record; the others are counted. */
  private async refuseLockedOut(keys: Buffer[]): Promise<void> {
    const [locked] = await this.database.query<[{ wait: number; turnedAway: number }[], number]>(
      `UPDATE login_failures SET turned_away = turned_away + 1 WHERE key = ANY($1) AND locked_until > now()
       RETURNING ceil(extract(epoch FROM locked_until - now()))::integer AS wait, turned_away AS "turnedAway"`,
      [keys],
    );
    if (locked.length === 0) return;
    const first = locked.some(({ turnedAway }) => turnedAway === 1);
    throw new TooManyAttempts('Too many failed log-ins', Math.max(...locked.map(({ wait }) => wait)), { recorded: first });
  }

  /** Whoever comes after a lock-out has it written down how many it turned away, if more than the one that is recorded. */
  private async tellTurnedAway(account: string, counters: Counter[]): Promise<void> {
    const keys = counters.map(({ key }) => key);
    const [any] = await this.database.query<unknown[]>('SELECT 1 FROM login_failures WHERE key = ANY($1) AND turned_away > 0', [keys]);
    if (!any) return;
    await this.database.transaction(async (transaction) => {
      const rows = await transaction.query<{ key: Buffer; turnedAway: number }[]>(
        'SELECT key, turned_away AS "turnedAway" FROM login_failures WHERE key = ANY($1) AND turned_away > 0 FOR UPDATE', [keys],
      );
      await transaction.query('UPDATE login_failures SET turned_away = 0 WHERE key = ANY($1)', [rows.map(({ key }) => key)]);
      const [user] = await transaction.query<{ id: string }[]>('SELECT id FROM users WHERE account_key(email) = $1 AND deleted_at IS NULL', [account]);
      const entry = { by: SYSTEM, action: 'auth.lock_out', target: { type: 'user', id: user?.id ?? null }, outcome: 'refused' as const };
      const told = rows.filter(({ turnedAway }) => turnedAway > 1);
      const networkBy = (key: Buffer): string | null => counters.find((counter) => counter.key.equals(key))?.network ?? null;
      const entries = told.map(({ key, turnedAway }) => ({ ...entry, detail: { turnedAway, network: networkBy(key) } }));
      await this.audit.recordAll(entries, transaction);
    });
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

const keyOf = (...parts: string[]): Buffer => createHash('sha256').update(JSON.stringify(parts)).digest();
