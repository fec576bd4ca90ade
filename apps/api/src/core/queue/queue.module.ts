import { BullModule } from '@nestjs/bull';
import { Global, Injectable, Module, OnApplicationShutdown } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import Queue from 'bull';
import type { Redis } from 'ioredis';
import { Config } from '../config/config';
import { ANSWER_MS, connectRedis, KEY_PREFIX } from './redis';

/** A blocking call is answered after five seconds at most, and a ping behind it after that. */
const BLOCKED_MS = 15_000;
/** Milliseconds that an orderly stop leaves the jobs under way. */
const STOP_MS = 3_000;

export abstract class RedisClient extends (Object as unknown as new () => Redis) {}

/** Bull closes no connection that it was given: whoever gave them does, when its queues are done. */
@Injectable()
class BullConnections {
  private readonly connections: Redis[] = [];

  add(connection: Redis): Redis {
    this.connections.push(connection);
    return connection;
  }

  disconnect(): void {
    for (const connection of this.connections) connection.disconnect();
  }
}

@Global()
@Module({
  imports: [
    DiscoveryModule,
    BullModule.forRootAsync({
      inject: [Config, BullConnections],
      useFactory: (config: Config, connections: BullConnections) => ({
        prefix: `${KEY_PREFIX}bull`,
        createClient: (type) =>
          connections.add(
            connectRedis(config.REDIS_URL, `bull-${type}`, {
              // Bull's blocking and subscribing connections must wait for Redis; its commands must not.
              ...(type !== 'client' && { maxRetriesPerRequest: null, enableOfflineQueue: true }),
              enableReadyCheck: type === 'client',
            }, type === 'bclient' ? BLOCKED_MS : ANSWER_MS),
          ),
        defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 },
      }),
    }),
  ],
  providers: [BullConnections, { provide: RedisClient, inject: [Config], useFactory: (config: Config) => connectRedis(config.REDIS_URL, 'cache', { commandTimeout: ANSWER_MS }) }],
  exports: [BullModule, BullConnections, RedisClient],
})
export class QueueModule implements OnApplicationShutdown {
  constructor(
    private readonly redis: RedisClient,
    private readonly bull: BullConnections,
    private readonly discovery: DiscoveryService,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    const providers = this.discovery.getProviders().map((wrapper): unknown => wrapper.instance);
    const closed = Promise.all(providers.filter((provider) => provider instanceof Queue).map((queue) => queue.close()));
    // A Redis that is gone without a word answers no closing either.
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
    this.bull.disconnect();
    this.redis.disconnect();
  }
}
