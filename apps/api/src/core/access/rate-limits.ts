import { Injectable, Logger } from '@nestjs/common';
import { type RateLimiterAbstract, RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { Config } from '../config/config';
import { TooManyAttempts } from '../errors/errors';
import { RedisClient } from '../queue/queue.module';
import { KEY_PREFIX } from '../queue/redis';

const MINUTE_SECONDS = 60;
/** Calls are taken from Redis so many at a time: a limit of 6,000 is asked about at every hundredth call. */
const PORTIONS = 60;
const MOST_REMEMBERED = 100_000;

/** What this process may still let through before it asks again. */
interface Portion {
  left: number;
  until: number;
}

/** Limits calls a minute, over all processes: of each caller, and of each address from which nobody is known. While Redis is away each process counts alone. */
@Injectable()
export class RateLimits {
  private readonly log = new Logger('RateLimits');
  private readonly limits: Record<'caller' | 'address', { points: number; limiter: RateLimiterAbstract }>;
  private readonly portions = new Map<string, Portion>();
  private readonly asked = new Map<string, Promise<boolean>>();

  constructor(config: Config, redis: RedisClient) {
    const limit = (name: string, points: number): { points: number; limiter: RateLimiterAbstract } => {
      const options = { points: Math.max(1, points), duration: MINUTE_SECONDS };
      const insuranceLimiter = new RateLimiterMemory(options);
      return { points, limiter: new RateLimiterRedis({ ...options, storeClient: redis, keyPrefix: `${KEY_PREFIX}rate:${name}`, insuranceLimiter, rejectIfRedisNotReady: true }) };
    };
    this.limits = { caller: limit('caller', config.RATE_LIMIT_CALLER), address: limit('address', config.RATE_LIMIT_ADDRESS) };
  }

  /** Throws TooManyAttempts when the limit is reached; mostly answers without waiting for anything. */
  spend(kind: 'caller' | 'address', who: string): Promise<void> | undefined {
    const { points } = this.limits[kind];
    if (points === 0) return undefined;
    const key = `${kind} ${who}`;
    const portion = this.portions.get(key);
    if (portion && portion.left > 0 && portion.until > performance.now()) {
      portion.left--;
      return undefined;
    }
    return this.ask(kind, who, key);
  }

  /** All who find no portion wait for one and the same: each of a crowd would take a whole one else. */
  private async ask(kind: 'caller' | 'address', who: string, key: string): Promise<void> {
    const asked = this.asked.get(key) ?? this.take(kind, who, key).finally(() => this.asked.delete(key));
    this.asked.set(key, asked);
    if (await asked) await this.spend(kind, who);
  }

  /** Answers whether there is a portion now. */
  private async take(kind: 'caller' | 'address', who: string, key: string): Promise<boolean> {
    const { points, limiter } = this.limits[kind];
    const size = Math.max(1, Math.floor(points / PORTIONS));
    try {
      const { msBeforeNext } = await limiter.consume(who, size);
      if (this.portions.size >= MOST_REMEMBERED) this.portions.clear();
      this.portions.set(key, { left: size, until: performance.now() + Math.max(1, msBeforeNext) });
      return true;
    } catch (error) {
      if (error instanceof RateLimiterRes) {
        throw new TooManyAttempts(`More than ${points} calls a minute`, Math.max(1, Math.ceil(error.msBeforeNext / 1000)), { recorded: false });
      }
      // A limit that cannot be counted keeps nobody out.
      this.log.warn(`not counted: ${(error as Error).message}`);
      return false;
    }
  }
}
