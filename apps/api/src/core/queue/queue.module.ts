import { BullModule } from '@nestjs/bull';
import { Global, Module, OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { Config } from '../config/config';
import { connectRedis, KEY_PREFIX } from './redis';

export abstract class RedisClient extends (Object as unknown as new () => Redis) {}

@Global()
@Module({
  imports: [
    BullModule.forRootAsync({
      inject: [Config],
      useFactory: (config: Config) => ({
        prefix: `${KEY_PREFIX}bull`,
        createClient: (type) =>
          connectRedis(config.REDIS_URL, `bull-${type}`, {
            // Bull's blocking and subscribing connections must wait for Redis; its commands must not.
            ...(type !== 'client' && { maxRetriesPerRequest: null, enableOfflineQueue: true }),
            enableReadyCheck: type === 'client',
          }),
        defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 },
      }),
    }),
  ],
  providers: [{ provide: RedisClient, inject: [Config], useFactory: (config: Config) => connectRedis(config.REDIS_URL, 'cache') }],
  exports: [BullModule, RedisClient],
})
export class QueueModule implements OnApplicationShutdown {
  constructor(private readonly redis: RedisClient) {}

  onApplicationShutdown(): void {
    this.redis.disconnect();
  }
}
