import { Logger } from '@nestjs/common';
import Redis, { type RedisOptions } from 'ioredis';

/** Keys of Gwanje's own in Redis start with this. */
export const KEY_PREFIX = 'control_system:';
/** For connections whose answers somebody waits for: milliseconds after which there will be none. */
export const ANSWER_MS = 2_000;

const PING_MS = 2_500;

/**
 * A connection that fails fast while Redis is away, and never ends the process. It is made anew when no answer to a ping comes within
 * `patienceMs`: it may be half open.
 */
export function connectRedis(url: string, name: string, options: RedisOptions = {}, patienceMs = ANSWER_MS): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(100 * times, 1_000),
    ...options,
  });
  const log = new Logger(`Redis:${name}`);
  // Who only listens, or has nothing to ask for a while, would not find out.
  const pings = setInterval(() => {
    if (redis.status !== 'ready') return;
    const deadline = setTimeout(() => redis.disconnect(true), patienceMs).unref();
    redis.ping().then(() => clearTimeout(deadline), () => clearTimeout(deadline));
  }, PING_MS).unref();
  redis.once('end', () => clearInterval(pings));
  let away = false;
  redis.on('error', (error: Error) => {
    if (!away) log.warn(`away: ${error.message}`);
    away = true;
  });
  redis.on('ready', () => {
    if (away) log.log('back');
    away = false;
  });
  return redis;
}
