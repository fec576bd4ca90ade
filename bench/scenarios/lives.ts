import type { Bench } from '../bench';
import { now } from '../processes/clock';
import type { Accepted } from '../load/generator';
import type { Life } from '../simulator/terms';

/** Commands a second whose result became durable within the `seconds` before the last command was sent. */
export function ratePerSecond(accepted: Accepted[], lives: Life[], seconds: number): number {
  const lastSent = accepted.reduce((latest, { sentAt }) => Math.max(latest, sentAt), 0);
  const from = lastSent - seconds * 1000;
  return lives.filter(({ durableAt }) => durableAt > from && durableAt <= lastSent).length / seconds;
}

/** From before each command was sent until it arrived at its agent, and until its result was durable; in ms. */
export function latencies(accepted: Accepted[], lives: Life[]): { arrival: number[]; durable: number[] } {
  const byId = new Map(lives.map((life) => [life.id, life]));
  const pairs = accepted.flatMap(({ id, sentAt }) => {
    const life = byId.get(id);
    return life ? [{ arrival: life.arrivedAt - sentAt, durable: life.durableAt - sentAt }] : [];
  });
  return { arrival: pairs.map(({ arrival }) => arrival), durable: pairs.map(({ durable }) => durable) };
}

/** Keeps so many lives in flight, reads back, and answers the rate; the first fifth of the time is the warming up. */
export async function throughput(
  bench: Bench,
  clientIds: string[],
  inFlight: number,
  seconds: number,
  output = false,
): Promise<{ rate: number; accepted: Accepted[]; cost: Record<string, number> }> {
  await bench.aim(clientIds, { sockets: inFlight });
  const readBack = await bench.beginReadBack();
  const meter = bench.meterCpu();
  const began = now();
  await bench.load.call('closed', { inFlight, seconds });
  const eachOf = meter.stop();
  const { accepted, lives } = await bench.prove(readBack, { output });
  const rate = ratePerSecond(accepted, lives, seconds * 0.8);
  bench.say(`  ${inFlight} in flight: ${Math.round(rate)} lives/s (${((now() - began) / 1000).toFixed(1)} s)`);
  return { rate, accepted, cost: eachOf(lives.length) };
}
