import { AmqpTransport } from '../src/core/events/amqp-transport';
import { Bus } from '../src/core/events/bus.service';
import type { NewsTransport } from '../src/core/events/news-transport';
import { RedisTransport } from '../src/core/events/redis-transport';
import { eventually, TestEnvironment } from './support/environment';
import { describeWith } from './support/programs';
import { Rabbit, RABBITMQ } from './support/rabbit';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { TcpProxy } from './support/tcp-proxy';

jest.setTimeout(90_000);

/** What every carrier of news has to do. */
function carries(make: (url: string) => NewsTransport, broker: () => string): void {
  let network: TcpProxy;
  let buses: Bus[];
  let heard: string[][];
  beforeEach(async () => {
    network = await TcpProxy.create(broker());
    const through = Object.assign(new URL(broker()), { host: new URL(network.url).host }).toString();
    const transports = [make(through), make(through), make(through)];
    buses = transports.map((transport) => new Bus(transport));
    heard = buses.map((bus) => {
      const ids: string[] = [];
      bus.on('client', ({ id }) => ids.push(id));
      return ids;
    });
    await eventually(() => expect(transports.map(({ connected }) => connected)).toEqual([true, true, true]), 20_000);
    await meet('first');
  });
  afterEach(async () => {
    network.mend();
    await Promise.all(buses.map((bus) => bus.onApplicationShutdown()));
    await network.close();
  });

  /** Until all hear each other: what was said before may be lost. */
  const meet = (word: string): Promise<void> =>
    eventually(() => {
      for (const [n, bus] of buses.entries()) bus.publish('client', { id: `${word} ${n}` });
      for (const ids of heard) expect(new Set(ids.filter((id) => id.startsWith(word)))).toEqual(new Set([`${word} 0`, `${word} 1`, `${word} 2`]));
    }, 20_000);

  it('brings news to every process once, in order, also to the one that says it', async () => {
    const ids = Array.from({ length: 1_000 }, (_, n) => `n${n}`);
    for (const id of ids) {
      buses[0]?.publish('client', { id });
      if (Number(id.slice(1)) % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (const of of heard) await eventually(() => expect(of.filter((id) => id.startsWith('n'))).toEqual(ids));
  });

  it('goes on in each process while the carrier is away, and between them when it is back', async () => {
    network.cut();
    buses[0]?.publish('client', { id: 'alone' });
    expect(heard[0]).toContain('alone');
    network.mend();
    await meet('again');
  });
}

describe('news by Redis', () => carries((url) => new RedisTransport(url), redisOfThisWorker));

describeWith('rabbitmq', RABBITMQ)('news by RabbitMQ', () => {
  let rabbit: Rabbit;
  beforeAll(async () => (rabbit = await Rabbit.start()));
  afterAll(() => rabbit.stop());

  describe('between processes', () => carries((url) => new AmqpTransport(url), () => rabbit.url));

  it('is a part of the system that can be down', async () => {
    let network: TcpProxy | undefined;
    const env = await TestEnvironment.create({}, async () => {
      network = await TcpProxy.create(rabbit.url);
      return { BUS_URL: Object.assign(new URL(rabbit.url), { host: new URL(network.url).host }).toString() };
    });
    const down = async (): Promise<string[]> => ((await (await fetch(`${env.url}/health/ready`)).json()) as { down: string[] }).down;
    await eventually(async () => expect(await down()).toEqual([]));
    network?.cut();
    await eventually(async () => expect(await down()).toEqual(['rabbitmq']));
    // Nothing waits for it.
    const client = await env.client('machine');
    const agent = await env.connect(client);
    const id = await env.command(client.id);
    await eventually(() => expect(agent.received.map((command) => command.id)).toEqual([id]));
    network?.mend();
    await eventually(async () => expect(await down()).toEqual([]));
    await env.destroy();
    await network?.close();
  });
});
