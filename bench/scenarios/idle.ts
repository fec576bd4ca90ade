import { setTimeout as wait } from 'node:timers/promises';
import type { Bench } from '../bench';
import { cpuSecondsOf } from '../installation/cpu';
import { now } from '../processes/clock';
import type { Figure } from '../report/figures';
import type { TransportName } from '../simulator/terms';
import { oneBatch } from './fanout';
import { imaginary, inLoop } from './loop';
import type { Scenario } from './scenario';

const PATIENCE_MS = 120_000;
const KIB_AN_AGENT: Record<TransportName, number> = { sse: 20, ws: 12 };

export const idle: Scenario = {
  name: 'idle',
  about: '10,000 connected agents without work: memory and CPU of the server; then all of them reconnect at once',
  overEachTransport: true,
  async run(bench: Bench): Promise<Figure[]> {
    const agents = bench.size(10_000, 300);
    const { api, postgres } = bench.installation;
    const machines = await bench.clients(agents);
    const before = await api.memory();
    const connected = await bench.connect(machines);
    bench.say(`  ${agents} agents connected in ${(connected / 1000).toFixed(1)} s`);
    const after = await api.memory();
    const kib = (key: 'rss' | 'heapUsed' | 'external'): number => (after[key] - before[key]) / 1024 / agents;

    const period = bench.size(30, 4);
    const [serverBefore, postgresBefore] = [await api.cpuSeconds(), cpuSecondsOf(postgres.pid)];
    await bench.profiled('idle', () => wait(period * 1000));
    const server = (100 * ((await api.cpuSeconds()) - serverBefore)) / period;
    const database = (100 * (cpuSecondsOf(postgres.pid) - postgresBefore)) / period;

    const readBack = await bench.beginReadBack();
    const { hello, online } = await bench.profiled('reconnect', () => reconnect(bench, agents));
    const { reopened, connected: live } = await bench.simulator.call('tally', null);
    // Who is not served is not live: a command for each of them proves it.
    await bench.aim([]);
    const { batchId, seconds } = await oneBatch(bench, bench.group, agents);
    await bench.prove(readBack, { accepted: [], batches: [{ batchId, count: agents }] });
    const { transport } = bench;
    const bare = await inLoop(bench, {}, async ({ pid }) => {
      await bench.connect(imaginary(agents), { transport });
      const used = cpuSecondsOf(pid);
      await wait(period * 1000);
      return (100 * (cpuSecondsOf(pid) - used)) / period;
    });
    return [
      {
        name: 'server memory an agent, resident',
        value: kib('rss'),
        unit: 'KiB',
        bound: { atMost: KIB_AN_AGENT[bench.transport] },
        note: `heap ${kib('heapUsed').toFixed(1)}, external ${kib('external').toFixed(1)} KiB; after garbage collection`,
      },
      {
        name: `CPU of the server, ${agents.toLocaleString('en')} idle agents`,
        value: server,
        unit: '%',
        bound: { atMost: 5 },
        note: `of one core; PostgreSQL for it ${database.toFixed(1)} %; the loop in memory, hearing and saying the same, ${bare.toFixed(1)} %`,
      },
      { name: 'all connected, 200 at a time', value: connected / 1000, unit: 's' },
      {
        name: 'all reconnected at once, online in PostgreSQL',
        value: online / 1000,
        unit: 's',
        bound: { atMost: 10 },
        note: `connections open after ${(hello / 1000).toFixed(1)} s, ${reopened} tries repeated`,
      },
      { name: 'agents refused for good', value: agents - live, unit: '', bound: { atMost: 0 } },
      { name: 'then one command for each, last result durable', value: seconds, unit: 's' },
    ];
  },
};

/** Cuts all connections at the same moment; answers after how many ms all were open again, and online in PostgreSQL by the new ones. */
async function reconnect(bench: Bench, agents: number): Promise<{ hello: number; online: number }> {
  const { database } = bench.installation;
  const { rows } = await database.query<{ now: string }>('SELECT clock_timestamp()::text AS now');
  const began = now();
  await bench.simulator.call('cut', { forGood: false });
  let hello = NaN;
  for (;;) {
    if (Number.isNaN(hello) && (await bench.simulator.call('tally', null)).connected === agents) hello = now() - began;
    const { rows: counted } = await database.query<{ online: number }>(
      `SELECT count(*)::integer AS online FROM clients WHERE status = 'online' AND last_seen_at >= $1`,
      [rows[0]?.now],
    );
    if (!Number.isNaN(hello) && counted[0]?.online === agents) return { hello, online: now() - began };
    if (now() - began > PATIENCE_MS) return { hello, online: NaN };
    await wait(50);
  }
}
