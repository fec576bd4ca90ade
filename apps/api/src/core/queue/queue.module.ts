import { BullModule } from '@nestjs/bull';
import { Global, Injectable, Module, OnApplicationShutdown } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import Queue from 'bull';
import type { Redis } from 'ioredis';
import { Config } from '../config/config';
import { connectRedis, KEY_PREFIX } from './redis';

/** Milliseconds that an orderly stop leaves the jobs under way. */
const STOP_MS = 5_000;

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

/** All queues of this process, whichever module they belong to. */
@Injectable()
export class Queues {
  constructor(private readonly discovery: DiscoveryService) {}

  get all(): Queue.Queue[] {
    const providers = this.discovery.getProviders().map((wrapper): unknown => wrapper.instance);
    return [...new Set(providers.filter((provider) => provider instanceof Queue))];
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
            }),
          ),
        defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 },
      }),
    }),
  ],
  providers: [BullConnections, Queues, { provide: RedisClient, inject: [Config], useFactory: (config: Config) => connectRedis(config.REDIS_URL, 'cache') }],
  exports: [BullModule, BullConnections, Queues, RedisClient],
})
export class QueueModule implements OnApplicationShutdown {
  constructor(
    private readonly redis: RedisClient,
    private readonly bull: BullConnections,
    private readonly queues: Queues,
  ) {}

  async onApplicationShutdown(): Promise<void> {
    const closed = Promise.all(this.queues.all.map((queue) => queue.close()));
    // A Redis that is gone without a word answers no closing either.
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
    this.bull.disconnect();
    this.redis.disconnect();
  }
}
