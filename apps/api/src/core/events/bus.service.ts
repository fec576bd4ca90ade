import type { CancelFrame } from '@gwanje/contracts';
import { Injectable, Logger, OnApplicationShutdown } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { EventEmitter } from 'node:events';
import { randomUUID } from 'node:crypto';
import { Config } from '../config/config';
import { connectRedis, KEY_PREFIX } from '../queue/redis';

/** What travels between processes: ids and news, never the truth. Anything here may be lost or repeated. */
export interface BusEvents {
  /** Dispatched commands wait in PostgreSQL for these clients' streams. */
  outstanding: { clientIds: string[] };
  /** This attempt is to be ended, or not to be started. */
  cancel: CancelFrame & { clientId: string };
  /** The state, history or output of these commands changed, or they are new. */
  commands: { ids: string[] };
  /** This client has a new stream; older ones of it are to be closed. */
  connected: { clientId: string; connectionId: string };
  /** A key of this client ended. */
  revoked: { clientId: string };
  /** The status or the description of this client changed. */
  client: { id: string };
  /** These audit exports were ordered, went on or ended. */
  exports: { ids: string[] };
  /** What these people may do changed, or a session of theirs ended. */
  rights: { userIds: string[] };
}

const CHANNEL = `${KEY_PREFIX}news`;

type News = [name: string, event: unknown];

/** Delivers news to this process at once and to the others through Redis, what one turn brings as one message; goes on locally while Redis is away. */
@Injectable()
export class Bus implements OnApplicationShutdown {
  private readonly origin = randomUUID();
  private leaving: News[] = [];
  private readonly local = new EventEmitter().setMaxListeners(0);
  private readonly publisher: Redis;
  private readonly subscriber: Redis;
  private readonly log = new Logger('Bus');

  constructor(config: Config) {
    this.publisher = connectRedis(config.REDIS_URL, 'publish');
    this.subscriber = connectRedis(config.REDIS_URL, 'subscribe', { autoResubscribe: true, enableOfflineQueue: true, maxRetriesPerRequest: null });
    this.subscriber.subscribe(CHANNEL).catch((error: Error) => this.log.warn(`not subscribed: ${error.message}`));
    this.subscriber.on('message', (_channel, message) => {
      // Its own news is known by its first bytes, and not read.
      if (message.startsWith(this.origin)) return;
      for (const [name, event] of JSON.parse(message.slice(this.origin.length)) as News[]) this.local.emit(name, event);
    });
  }

  publish<K extends keyof BusEvents>(name: K, event: BusEvents[K]): void {
    this.local.emit(name, event);
    if (this.leaving.push([name, event]) === 1) setImmediate(() => this.send());
  }

  /** Returns the function that ends the subscription. */
  on<K extends keyof BusEvents>(name: K, listener: (event: BusEvents[K]) => void): () => void {
    this.local.on(name, listener);
    return () => this.local.off(name, listener);
  }

  onApplicationShutdown(): void {
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }

  private send(): void {
    // kill point: bus.before-publish
    const news = this.leaving;
    this.leaving = [];
    this.publisher
      .publish(CHANNEL, this.origin + JSON.stringify(news))
      .catch(() => undefined /* whoever misses news finds the truth in PostgreSQL at its next round */);
  }
}
