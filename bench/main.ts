import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../tools/servers/process';
import { buildAll } from '../tools/start/build';
import { ROOT } from '../tools/start/folder';
import { Launcher, Stopped } from '../tools/start/launcher';
import { Bench } from './bench';
import { Installation } from './installation/installation';
import { type Options, readOptions } from './options';
import { type Figure, passes } from './report/figures';
import { percentilePicture } from './report/svg';
import { table } from './report/table';
import { SCENARIOS } from './scenarios';
import type { Scenario } from './scenarios/scenario';
import { TRANSPORT_NAMES, type TransportName } from './simulator/terms';

const FOLDER = join(ROOT, '.gwanje', 'bench');

interface Outcome {
  name: string;
  about: string;
  /** How the agents were connected; not there where no server was. */
  transport?: TransportName;
  figures: Figure[];
}

const TITLES: Record<TransportName, string> = { sse: 'SSE', ws: 'WebSocket' };

const titleOf = ({ name, transport }: Pick<Outcome, 'name' | 'transport'>): string =>
  transport ? `${name} over ${TITLES[transport]}` : name;

/** `npm run bench [-- <scenario> …] [--quick] [--full] [--cpu-prof] [--transport sse|ws] [--json FILE] [--svg FILE]` */
async function main(launcher: Launcher): Promise<void> {
  const options = readOptions(process.argv.slice(2), FOLDER);
  const runs = choose(options).flatMap((scenario) =>
    transportsOf(scenario, options).map((transport) => ({ scenario, transport })),
  );
  mkdirSync(FOLDER, { recursive: true });
  await buildAll(launcher, ['api']);
  const say = (line: string): void => launcher.say(line);
  const installation = await launcher.own('the installation', () => Installation.start(say));
  const bench = await launcher.own('the simulator and the load generator', () =>
    Promise.resolve(new Bench(installation, options, say)),
  );
  const outcomes: Outcome[] = [];
  for (const { scenario, transport } of runs) {
    launcher.check();
    const outcome = { name: scenario.name, about: scenario.about, ...(!scenario.withoutServer && { transport }) };
    say(`\n${titleOf(outcome)}: ${scenario.about}`);
    bench.transport = transport;
    if (!scenario.withoutServer) await installation.startFresh(scenario.name);
    const figures = await scenario.run(bench);
    await bench.disconnect();
    for (const { name, value } of figures) bench.known.set(name, value);
    outcomes.push({ ...outcome, figures });
  }
  report(bench, options, outcomes);
  const faults = bench.faults.length;
  if (faults > 0)
    await launcher.end(1, `The run is not valid: commands were lost or doubled (${faults} faults, see FAULT above).`);
  else await launcher.end(0);
}

/** The limits go first whatever is asked for: a figure without its yardstick says little. Where a fault is planted, no figure counts. */
function choose({ scenarios: names, faults }: Options): Scenario[] {
  const unknown = names.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name));
  if (unknown.length > 0)
    throw new Error(
      `there is no scenario ${unknown.join(', ')}; there are ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    );
  const withLimits = faults.length === 0;
  return SCENARIOS.filter(
    ({ name }) => names.length === 0 || names.includes(name) || (name === 'limits' && withLimits),
  );
}

function transportsOf({ overEachTransport }: Scenario, { transport }: Options): readonly TransportName[] {
  if (transport) return [transport];
  return overEachTransport ? TRANSPORT_NAMES : ['sse'];
}

function report(bench: Bench, options: Options, outcomes: Outcome[]): void {
  const { model = 'unknown' } = cpus()[0] ?? {};
  const machine = `${cpus().length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${process.platform}`;
  console.log(
    `\n${table(outcomes.map((outcome) => ({ ...outcome, name: titleOf(outcome) })))}\n\n${machine}${options.quick ? '; a quick run: sizes and times are small' : ''}`,
  );
  if (bench.faults.length > 0)
    console.log(`${bench.faults.length} FAULTS: no figure above counts. The first: ${bench.faults[0]}`);
  else
    console.log(
      `${bench.proven.toLocaleString('en')} commands were read back from PostgreSQL: none lost, none doubled.`,
    );
  const bound = outcomes.flatMap(({ figures }) => figures).filter((figure) => figure.bound);
  console.log(`${bound.filter(passes).length} of ${bound.length} bounds hold.`);
  const svg = options.svg ?? join(FOLDER, 'latency.svg');
  writeFileSync(svg, percentilePicture('Gwanje: latency by percentile', bench.curves));
  const json = options.json ?? join(FOLDER, 'bench.json');
  const scenarios = outcomes.map(({ figures, ...rest }) => ({
    ...rest,
    figures: figures.map((figure) => ({ ...figure, passes: passes(figure) })),
  }));
  const { quick } = options;
  const whole = {
    finishedAt: new Date().toISOString(),
    machine,
    quick,
    commandsReadBack: bench.proven,
    faults: bench.faults,
    scenarios,
  };
  writeFileSync(json, `${JSON.stringify(whole, null, 2)}\n`);
  console.log(`Written: ${svg}, ${json}`);
}

const launcher = new Launcher();
launcher.watchSignals();
/** Whatever goes wrong, no server is left behind. */
const giveUp = (error: unknown): void => {
  if (error instanceof Stopped || launcher.signal.aborted) return;
  void launcher.end(1, `The benchmark could not go on: ${messageOf(error)}`);
};
process.on('uncaughtException', giveUp);
main(launcher).catch(giveUp);
