import Redis from 'ioredis';
import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { now } from '../processes/clock';
import { percentile } from '../report/figures';
import { eventParser } from '../simulator/event-parser';

/** Redis, publish → subscribe on two connections, p50 in ms. */
export async function redisHop(url: string, times: number): Promise<number> {
  const [publisher, subscriber] = [new Redis(url), new Redis(url)];
  await subscriber.subscribe('bench');
  const samples: number[] = [];
  for (let n = 0; n < times; n++) {
    const arrived = once(subscriber, 'message');
    const began = now();
    void publisher.publish('bench', `${n}`);
    await arrived;
    samples.push(now() - began);
    await wait(10);
  }
  publisher.disconnect();
  subscriber.disconnect();
  return percentile(samples, 0.5);
}

/** A bare server-sent event, from before its write in one process until it is read in another; p50 in ms. */
export function sseHop(url: string, times: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const samples: number[] = [];
    const stream = request(`${url}/ticks`);
    stream.on('error', reject).on('response', (response) => {
      response.on('error', () => undefined).setEncoding('utf8');
      response.on(
        'data',
        eventParser((_event, data) => {
          samples.push(now() - Number(data));
          if (samples.length < times) return;
          stream.destroy();
          resolve(percentile(samples, 0.5));
        }),
      );
    });
    stream.end();
  });
}
