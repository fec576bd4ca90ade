import { Logger } from '@nestjs/common';
import { type Channel, type ChannelModel, type ConfirmChannel, connect, type RecoveringChannelModel } from 'amqplib';
import { NewsTransport } from './news-transport';

const EXCHANGE = 'gwanje.news';
/** Who wants some of it binds to `news.<what>`; there is one kind so far. */
const ROUTING_KEY = 'news.all';
/** News for a process that does not read go, the oldest first, before they fill the broker. */
const MOST_WAITING = 10_000;
const HEARTBEAT_SECONDS = 10;
const RECONNECT_MS = { initialDelay: 100, maxDelay: 2_000 };

/** News by a topic exchange of RabbitMQ: each process has a queue of its own, which goes with its connection. */
export class AmqpTransport extends NewsTransport {
  readonly part = 'rabbitmq';
  private readonly log = new Logger('AmqpTransport');
  private readonly connection: Promise<RecoveringChannelModel>;
  private listener?: (message: string) => void;
  private outgoing?: ConfirmChannel;
  private deafUntil = 0;

  constructor(url: string) {
    super();
    const recovery = { ...RECONNECT_MS, waitForConnect: false, setup: (model: ChannelModel) => this.setUp(model) };
    const address = new URL(url);
    if (!address.searchParams.has('heartbeat')) address.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS));
    this.connection = connect(address.toString(), { recovery, timeout: 5_000 });
    void this.connection.then((connection) => this.watch(connection));
  }

  get connected(): boolean {
    return this.outgoing !== undefined;
  }

  get listeningForMs(): number {
    return this.outgoing ? performance.now() - this.deafUntil : 0;
  }

  publish(message: string): Promise<void> {
    const channel = this.outgoing;
    if (!channel) return Promise.reject(new Error('no connection to RabbitMQ'));
    return new Promise((resolve, reject) => {
      channel.publish(EXCHANGE, ROUTING_KEY, Buffer.from(message), { contentType: 'application/json' }, (error: Error | null) => (error ? reject(error) : resolve()));
    });
  }

  listen(listener: (message: string) => void): void {
    this.listener = listener;
  }

  async close(): Promise<void> {
    this.outgoing = undefined;
    await (await this.connection).close().catch(() => undefined);
  }

  /** After every connection: the queue of the one before went with it. */
  private async setUp(model: ChannelModel): Promise<void> {
    const incoming = this.quiet(await model.createChannel());
    await incoming.assertExchange(EXCHANGE, 'topic', { durable: false });
    const { queue } = await incoming.assertQueue('', { exclusive: true, autoDelete: true, durable: false, maxLength: MOST_WAITING });
    await incoming.bindQueue(queue, EXCHANGE, 'news.#');
    await incoming.consume(queue, (delivery) => delivery && this.listener?.(delivery.content.toString()), { noAck: true });
    this.deafUntil = performance.now();
    this.outgoing = this.quiet(await model.createConfirmChannel());
  }

  private watch(connection: RecoveringChannelModel): void {
    let away = false;
    const say = (error: Error): void => {
      this.outgoing = undefined;
      if (!away) this.log.warn(`away: ${error.message}`);
      away = true;
    };
    connection.on('disconnect', say);
    connection.on('connect-failed', say);
    connection.on('connect', () => {
      if (away) this.log.log('back');
      away = false;
    });
    connection.on('error', say);
  }

  /** A channel's fault ends its connection's turn; without a listener it would end the process. */
  private quiet<C extends Channel>(channel: C): C {
    channel.on('error', (error: Error) => this.log.warn(error.message));
    return channel;
  }
}
