import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setInterval as every } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Fleet } from './fleet';
import { Poster } from './poster';
import { TRANSPORT_NAMES } from './terms';
import type { Identity } from './transport';

const USAGE = `npm run simulate -- --url http://localhost:3000 --agents 1000 --enrol TOKEN [--keys FILE]
  --agents N        how many agents; 100 by default
  --enrol TOKEN     an enrolment token with as many uses (POST /api/enrolment-tokens)
  --keys FILE       where their keys are kept between two runs; .gwanje/simulated-agents.json by default
  --transport T     ${TRANSPORT_NAMES.join(' or ')}
  --work MS         how long each command takes; 0 by default
  --output          each command writes a line on both output streams
  --brief           no session and no start, the result only: the agent of twenty lines`;

/** Thousands of agents against an installation of your own: as many machines as you mean to have, before you have them. */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://localhost:3000' },
      agents: { type: 'string', default: '100' },
      enrol: { type: 'string' },
      keys: { type: 'string', default: '.gwanje/simulated-agents.json' },
      transport: { type: 'string', default: 'sse' },
      work: { type: 'string', default: '0' },
      output: { type: 'boolean', default: false },
      brief: { type: 'boolean', default: false },
    },
  });
  const transport = TRANSPORT_NAMES.find((name) => name === values.transport);
  const [agents, workMs] = [Number(values.agents), Number(values.work)];
  if (!transport || !Number.isInteger(agents) || agents < 1 || !(workMs >= 0)) throw new Error(USAGE);
  const identities = await identify(values.url, agents, values.keys, values.enrol);
  const { output } = values;
  const conduct = values.brief ? 'brief' : 'full';
  const fleet = new Fleet({ url: values.url, identities, transport, conduct, output, workMs, sockets: 256 });
  console.log(`Connecting ${agents} agents to ${values.url} …`);
  const connected = fleet.connect(200).then((ms) => {
    console.log(`All connected after ${(ms / 1000).toFixed(1)} s. Ctrl-C ends them.`);
  });
  await Promise.all([connected, tellEverySecond(fleet)]);
}

/** The agents of the last run with these keys, and new ones as far as they do not suffice. */
async function identify(url: string, count: number, file: string, token?: string): Promise<Identity[]> {
  const known = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Identity[]) : [];
  if (known.length >= count) return known.slice(0, count);
  if (!token)
    throw new Error(
      `${file} has ${known.length} agents, not ${count}: give an enrolment token for the others\n\n${USAGE}`,
    );
  const poster = new Poster(url, 32);
  const queue = Array.from({ length: count - known.length }, (_, n) => `simulated-${known.length + n + 1}`).values();
  const enrol = async (): Promise<void> => {
    for (const name of queue) {
      const { status, body } = await poster.post('/api/enrol', token, { token, name, platform: process.platform });
      if (status !== 201) throw new Error(`POST /api/enrol answered ${status}: ${body}`);
      const { id, clientKey } = JSON.parse(body) as { id: string; clientKey: string };
      known.push({ id, name, key: clientKey });
    }
  };
  try {
    await Promise.all(Array.from({ length: 16 }, enrol));
  } finally {
    // Also those that came before a failure: their names are taken.
    writeFileSync(file, JSON.stringify(known), { mode: 0o600 });
    poster.close();
  }
  return known;
}

async function tellEverySecond(fleet: Fleet): Promise<void> {
  const { tally } = fleet;
  let { arrived, settled } = tally;
  for await (const _ of every(1_000)) {
    fleet.takeLives();
    const rates = `${tally.arrived - arrived} commands/s received, ${tally.settled - settled} results/s durable`;
    console.log(
      `${tally.connected} connected, ${rates}${tally.troubles.length > 0 ? `; ${tally.troubles.join('; ')}` : ''}`,
    );
    ({ arrived, settled } = tally);
    tally.troubles.length = 0;
  }
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exit(1);
});
