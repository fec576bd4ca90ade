import { Logger } from '@nestjs/common';
import { connectRedis, KEY_PREFIX } from '../queue/redis';
import { NewsTransport } from './news-transport';

const CHANNEL = `${KEY_PREFIX}news`;

/** News by publish and subscribe of Redis. */
export class RedisTransport extends NewsTransport {
  readonly part = 'redis';
  private readonly log = new Logger('RedisTransport');
  private readonly publisher;
  private readonly subscriber;
  private deafUntil = 0;

  constructor(url: string) {
    super();
    this.publisher = connectRedis(url, 'publish');
    this.subscriber = connectRedis(url, 'subscribe', { autoResubscribe: true, enableOfflineQueue: true, maxRetriesPerRequest: null });
  }

  get connected(): boolean {
    return this.publisher.status === 'ready';
  }

  get listeningForMs(): number {
    return this.subscriber.status === 'ready' ? performance.now() - this.deafUntil : 0;
  }

  async publish(message: string): Promise<void> {
    await this.publisher.publish(CHANNEL, message);
  }

  listen(listener: (message: string) => void): void {
    this.subscriber.subscribe(CHANNEL).catch((error: Error) => this.log.warn(`not subscribed: ${error.message}`));
    this.subscriber.on('ready', () => (this.deafUntil = performance.now()));
    this.subscriber.on('message', (_channel, message) => listener(message));
  }

  close(): void {
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }
}
