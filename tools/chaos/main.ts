import { parseArgs } from 'node:util';
import { messageOf } from '../servers/process';
import { buildAll } from '../start/build';
import { Launcher } from '../start/launcher';
import { Backends } from './backends';
import { BUGS } from './bugs';
import { measure } from './figures/measure';
import { SCENARIOS } from './figures/scenarios';
import { describeFuzz, fuzz } from './fuzz/fuzz';
import { Target } from './fuzz/target';
import { hunt } from './hunt';
import { NEMESES } from './nemeses';
import { describeOutcome } from './report';
import { type Plan, run } from './run';

/** What two cores take beside what is looked at: where each bound is measured by itself, a queue would be measured instead. */
const USUAL = { run: { rate: '30', agents: '3' }, figures: { rate: '10', agents: '6' } };

const began = Date.now();
const say = (line: string): void => console.log(`[${((Date.now() - began) / 1000).toFixed(0)} s] ${line}`);

/** `npm run chaos -- [--seed 42] [--minutes 5] [--rate 30] [--agents 3] [--pauses 1] [--only <part of a nemesis' name>] [--keep]`, or `-- --bugs` and `-- --bug <part of its name>`: plants each bug, and must find it. */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
      minutes: { type: 'string', default: '5' },
      rate: { type: 'string' },
      agents: { type: 'string' },
      only: { type: 'string', multiple: true },
      bugs: { type: 'boolean', default: false },
      bug: { type: 'string', multiple: true },
      walk: { type: 'boolean', default: false },
      injections: { type: 'string' },
      pauses: { type: 'string', default: '1' },
      figures: { type: 'boolean', default: false },
      fuzz: { type: 'string' },
      keep: { type: 'boolean', default: false },
    },
  });
  const nemeses = values.figures ? NEMESES : named('only', values.only, NEMESES);
  const scenarios = values.figures ? named('only', values.only, SCENARIOS) : [];
  const bugs = named('bug', values.bug, BUGS);
  const usual = values.figures ? USUAL.figures : USUAL.run;
  const plan: Plan = {
    seed: number('seed', values.seed),
    minutes: number('minutes', values.minutes),
    rate: number('rate', values.rate ?? usual.rate),
    servers: 2,
    agents: number('agents', values.agents ?? usual.agents),
    nemeses,
    walk: values.walk,
    pauses: number('pauses', values.pauses),
    ...(values.injections !== undefined && { injections: number('injections', values.injections) }),
  };
  const backends = await Backends.start();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // Servers and agents stop by themselves when this process is gone.
    process.once(signal, () => void backends.stop(values.keep).finally(() => process.exit(130)));
  }
  try {
    if (values.bugs || values.bug) return (await hunt(backends, plan.seed, bugs, say)) ? 0 : 1;
    if (values.fuzz !== undefined) return (await fuzzOnce(backends, plan.seed, number('fuzz', values.fuzz))) ? 0 : 1;
    if (values.figures) return (await measure(backends, plan, scenarios, say)) ? 0 : 1;
    const outcome = await run(backends, plan, say);
    say(describeOutcome(plan, outcome));
    const failed = outcome.findings.length > 0 || outcome.settledAfter === null;
    if (values.keep) say(`kept: ${backends.folder}`);
    return failed ? 1 : 0;
  } finally {
    await backends.stop(values.keep);
  }
}

/** Those with one of these parts in their name, or all where nothing is asked for. */
function named<T extends { name: string }>(option: string, parts: readonly string[] | undefined, all: readonly T[]): T[] {
  const found = all.filter(({ name }) => parts?.some((part) => name.includes(part)) ?? true);
  if (found.length === 0) throw new Error(`--${option} ${parts?.join(', ')}: there are ${all.map(({ name }) => name).join('; ')}`);
  return found;
}

function number(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < Infinity)) throw new Error(`--${option} ${text}: it must be a number from 0 on`);
  return value;
}

/** The built server alone, on a database of its own. */
async function fuzzOnce(backends: Backends, seed: number, count: number): Promise<boolean> {
  await buildAll(new Launcher(), ['api']);
  const databaseUrl = backends.databaseUrl(await backends.createDatabase());
  const target = await Target.start({ databaseUrl, redisUrl: backends.redis.url, folder: backends.folder });
  try {
    const outcome = await fuzz(target, seed, count);
    say(describeFuzz(outcome));
    return outcome.faults.length === 0;
  } finally {
    await target.stop();
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    say(messageOf(error));
    process.exit(1);
  },
);
