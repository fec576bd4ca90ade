import Redis from 'ioredis';
import { redisOfThisWorker } from '../../apps/api/test/support/redis-of-this-worker';

/** A job that a stopped server had just taken would be the next file's: it finds it, runs it, or counts it as failed. */
beforeAll(async () => {
  const redis = new Redis(redisOfThisWorker());
  await redis.flushall();
  redis.disconnect();
});
