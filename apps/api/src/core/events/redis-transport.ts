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
  private deafUntil = Infinity;

  constructor(url: string) {
    super();
    this.publisher = connectRedis(url, 'publish');
    // It subscribes by itself, to know from when on it hears.
    this.subscriber = connectRedis(url, 'subscribe', { autoResubscribe: false, maxRetriesPerRequest: null });
  }

  get connected(): boolean {
    return this.publisher.status === 'ready';
  }

  get listeningForMs(): number {
    return this.subscriber.status === 'ready' ? Math.max(0, performance.now() - this.deafUntil) : 0;
  }

  async publish(message: string): Promise<void> {
    await this.publisher.publish(CHANNEL, message);
  }

  listen(listener: (message: string) => void): void {
    if (this.subscriber.status === 'ready') void this.subscribe();
    this.subscriber.on('ready', () => void this.subscribe());
    this.subscriber.on('message', (_channel, message) => listener(message));
  }

  close(): void {
    this.publisher.disconnect();
    this.subscriber.disconnect();
  }

  private async subscribe(): Promise<void> {
    this.deafUntil = Infinity;
    try {
      await this.subscriber.subscribe(CHANNEL);
      this.deafUntil = performance.now();
    } catch (error) {
      if (this.subscriber.status === 'ready') this.log.warn(`not subscribed: ${(error as Error).message}`);
    }
  }
}
