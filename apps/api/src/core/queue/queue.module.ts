import { BullModule } from '@nestjs/bull';
import { Global, Injectable, Module, OnApplicationBootstrap, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import Queue from 'bull';
import type { Redis } from 'ioredis';
import { Config } from '../config/config';
import { ANSWER_MS, connectRedis, isCluster, KEY_PREFIX } from './redis';

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

/** All queues of this process, whichever module they belong to. */
@Injectable()
export class Queues {
  constructor(private readonly discovery: DiscoveryService) {}

  get all(): Queue.Queue[] {
    const providers = this.discovery.getProviders().map((wrapper): unknown => wrapper.instance);
    return [...new Set(providers.filter((provider) => provider instanceof Queue))];
  }
}

/** When it stops, Bull has a connection connect anew that may be doing so by itself: the refusal is heard by nobody, and would end the process. */
function reconnectable(redis: Redis): Redis {
  const connect = redis.connect.bind(redis);
  redis.connect = () => connect().catch(() => undefined);
  return redis;
}

/** Redis answers a farewell only after the blocking call before it; at each stop Bull would wait half a second for that. */
function leaving(redis: Redis): Redis {
  redis.quit = () => {
    redis.disconnect();
    return Promise.resolve('OK');
  };
  return redis;
}

@Global()
@Module({
  imports: [
    DiscoveryModule,
    BullModule.forRootAsync({
      inject: [Config, BullConnections],
      useFactory: (config: Config, connections: BullConnections) => ({
        // In a cluster all keys of a queue must live together: what stands in braces decides where.
        prefix: isCluster(config.REDIS_URL) ? `${KEY_PREFIX}{bull}` : `${KEY_PREFIX}bull`,
        createClient: (type) => {
          const redis = connectRedis(config.REDIS_URL, `bull-${type}`, {
            // Bull's blocking and subscribing connections must wait for Redis; its commands must not.
            ...(type !== 'client' && { maxRetriesPerRequest: null, enableOfflineQueue: true }),
            enableReadyCheck: type === 'client',
          }, type === 'bclient' ? BLOCKED_MS : ANSWER_MS);
          return connections.add(reconnectable(type === 'bclient' ? leaving(redis) : redis));
        },
        defaultJobOptions: { removeOnComplete: true, removeOnFail: 100 },
      }),
    }),
  ],
  providers: [BullConnections, Queues, { provide: RedisClient, inject: [Config], useFactory: (config: Config) => connectRedis(config.REDIS_URL, 'cache', { enableAutoPipelining: true, commandTimeout: ANSWER_MS }) }],
  exports: [BullModule, BullConnections, Queues, RedisClient],
})
export class QueueModule implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  private stopping = false;

  constructor(
    private readonly redis: RedisClient,
    private readonly bull: BullConnections,
    private readonly queues: Queues,
  ) {}

  /**
   * Nobody waits for the answers of `process`, and of the naming of its connection, which a stop refuses while the queue has not begun:
   * unheard, a refusal would end the process.
   */
  onModuleInit(): void {
    for (const queue of this.queues.all) {
      const begin = queue.process.bind(queue) as (...args: unknown[]) => Promise<void>;
      const beginAndHear = (...args: unknown[]): Promise<void> =>
        begin(...args).catch((error: Error) => {
          if (!this.stopping) throw error;
        });
      const name = queue.setWorkerName.bind(queue) as () => Promise<void>;
      Object.assign(queue, { process: beginAndHear, setWorkerName: () => name().catch(() => undefined) });
    }
  }

  /** Of the two that would close the queues at a stop, only this module knows a bound. */
  onApplicationBootstrap(): void {
    for (const queue of this.queues.all) Object.assign(queue, { onApplicationShutdown: () => undefined });
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping = true;
    // A queue may refuse to be closed while its connection is just coming back; the connections are closed in any case.
    const closed = Promise.allSettled(this.queues.all.map((queue) => queue.close()));
    // A Redis that is gone without a word answers no closing either.
    await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, STOP_MS).unref())]);
    this.bull.disconnect();
    this.redis.disconnect();
  }
}
