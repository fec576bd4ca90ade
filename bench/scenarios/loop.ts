import { join } from 'node:path';
import { v7 as uuid } from 'uuid';
import type { Bench, Target } from '../bench';
import type { BareServerMethods } from '../limits/bare-server';
import { Child } from '../processes/child';
import { now } from '../processes/clock';
import type { Accepted } from '../load/generator';
import type { Conduct, TransportName } from '../simulator/terms';
import type { Identity } from '../simulator/transport';
import { latencies, ratePerSecond } from './lives';

/** The bare loop that stands for the server. */
export interface Loop extends Target {
  pid: number;
  /** Where its rows are; empty in memory. */
  database: string;
}

/** Runs the loop in the place of the server while `work` uses it: in memory, or with the rows of these machines in a database of its own. */
export async function inLoop<T>(
  bench: Bench,
  { rowsOf }: { rowsOf?: Identity[] },
  work: (loop: Loop) => Promise<T>,
): Promise<T> {
  const server = new Child<BareServerMethods>('the bare loop', join(__dirname, '..', 'limits', 'bare-server.ts'));
  try {
    const database = rowsOf ? await bench.installation.copyTemplate('loop') : '';
    const durable = rowsOf ? { database, clientIds: rowsOf.map(({ id }) => id) } : null;
    const url = `http://127.0.0.1:${await server.call('start', durable)}`;
    const loop = { url, token: 'none', pid: server.pid, database };
    return await bench.instead(loop, () => work(loop));
  } finally {
    await server.stop();
  }
}

/** Machines that exist in the loop only. */
export const imaginary = (count: number): Identity[] =>
  Array.from({ length: count }, (_, n) => ({ id: uuid(), name: `loop-${n}`, key: 'none' }));

/** Connects these machines only, and points the load generator at them. */
async function aimAt(
  bench: Bench,
  machines: Identity[],
  settings: { transport: TransportName; conduct?: Conduct },
  sockets: number,
): Promise<void> {
  await bench.connect(machines, { ...settings, faults: [] });
  const ids = machines.map(({ id }) => id);
  await bench.aim(ids, { sockets });
}

/** Keeps so many lives in flight: how many there were, how many a second, and the CPU of each by process. */
export async function livesOf(
  bench: Bench,
  { pid }: Loop,
  machines: Identity[],
  {
    inFlight,
    seconds,
    ...settings
  }: { inFlight: number; seconds: number; conduct?: Conduct; transport?: TransportName },
): Promise<{ count: number; rate: number; cost: Record<string, number> }> {
  await aimAt(bench, machines, { transport: 'sse', ...settings }, inFlight);
  const meter = bench.meterCpu(pid);
  await bench.load.call('closed', { inFlight, seconds });
  const eachOf = meter.stop();
  const lives = await bench.simulator.call('lives', null);
  const accepted = await bench.load.call('accepted', null);
  return { count: lives.length, rate: ratePerSecond(accepted, lives, seconds * 0.8), cost: eachOf(lives.length) };
}

/** Twenty commands a second over SSE; latencies in ms. */
export async function pacedOf(
  bench: Bench,
  machines: Identity[],
  count: number,
): Promise<{ accepted: Accepted[]; arrival: number[]; durable: number[] }> {
  await aimAt(bench, machines, { transport: 'sse' }, 1);
  await bench.load.call('paced', { perSecond: 20, count });
  const accepted = await bench.load.call('accepted', null);
  return { accepted, ...latencies(accepted, await bench.simulator.call('lives', null)) };
}

/** Creates alone, for machines that do not listen: a request, its answer, and behind it what the loop keeps. */
export async function createsOf(
  bench: Bench,
  machines: Identity[],
  { inFlight, seconds }: { inFlight: number; seconds: number },
): Promise<{ count: number; rate: number }> {
  await bench.aim(
    machines.map(({ id }) => id),
    { follow: false, sockets: inFlight },
  );
  const began = now();
  await bench.load.call('closed', { inFlight, seconds });
  const took = (now() - began) / 1000;
  const { length: count } = await bench.load.call('accepted', null);
  return { count, rate: count / took };
}
