import { messageOf } from '../../servers/process';
import type { Backends } from '../backends';
import { check } from '../checker';
import { describeOutcome } from '../report';
import { countOpen } from '../witnesses';
import { until, World, type WorldSettings } from '../world';
import { describeFigures, type Figure, isWithin } from './figure';
import type { Scenario } from './scenarios';
import { WatchedFleet } from './watched-fleet';

const SETTLE_MS = 90_000;
const SIMULATED = 1_000;
const BACKLOG_MS = 300_000;
/** Commands that are not at an end although nothing waits for long. */
const UNDER_WAY = 60;

/** Each promise by itself, under one load; false when something was lost, doubled or unexplained. What is beyond its bound is said to be. */
export async function measure(
  backends: Backends,
  settings: WorldSettings,
  scenarios: readonly Scenario[],
  say: (line: string) => void,
): Promise<boolean> {
  // As an operator's agents are set: the harness is more impatient elsewhere.
  const world = await World.start(backends, { ...settings, agentEnv: { AGENT_SILENCE_MS: '40000' } });
  const figures: Figure[] = [];
  let fleet: WatchedFleet | undefined;
  try {
    fleet = await gather(world, SIMULATED);
    world.load.start();
    for (const scenario of scenarios) {
      // What one leaves behind slows no other.
      await until(BACKLOG_MS, 'what waited is done', async () => (await countOpen(world.databaseUrl)) < UNDER_WAY);
      say(`${scenario.name} …`);
      figures.push(...(await scenario.run(world, fleet)));
    }
    await world.load.stop();
    fleet.close();
    const settledAfter = await world.settle(SETTLE_MS);
    const history = await world.history();
    const findings = [...check(history), ...world.findings()];
    say(
      describeOutcome(
        { ...settings, minutes: 0 },
        { findings, history, injections: new Map(), pointsMissed: [], settledAfter },
      ),
    );
    say(describeFigures(figures));
    const late = figures.filter((figure) => !isWithin(figure));
    if (late.length > 0) say(`beyond its bound: ${late.map(({ name }) => name).join('; ')}`);
    return findings.length === 0 && settledAfter !== null;
  } catch (error) {
    say(describeFigures(figures));
    throw new Error(`not all could be measured: ${messageOf(error)}`, { cause: error });
  } finally {
    fleet?.close();
    await world.stop();
  }
}

async function gather(world: World, count: number): Promise<WatchedFleet> {
  const names = Array.from({ length: count }, (_, n) => `simulated-${n + 1}`);
  const identities: { id: string; name: string; key: string }[] = [];
  const work = async (): Promise<void> => {
    for (let name = names.pop(); name; name = names.pop()) {
      const { id, clientKey: key } = await world.createClient(name);
      identities.push({ id, name, key });
    }
  };
  await Promise.all(Array.from({ length: 16 }, work));
  const fleet = new WatchedFleet(`http://127.0.0.1:${world.agentsLink.port}`, identities);
  await fleet.connect(100);
  return fleet;
}
