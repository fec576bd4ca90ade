import { Logger } from '@nestjs/common';
import Redis, { type RedisOptions } from 'ioredis';

/** Keys of Gwanje's own in Redis start with this. */
export const KEY_PREFIX = 'control_system:';

/** A connection that fails fast while Redis is away, and never ends the process. */
export function connectRedis(url: string, name: string, options: RedisOptions = {}): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    enableOfflineQueue: false,
    connectTimeout: 2_000,
    retryStrategy: (times) => Math.min(100 * times, 1_000),
    ...options,
  });
  const log = new Logger(`Redis:${name}`);
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
