import { messageOf, sleep } from '../servers/process';
import type { Backends } from './backends';
import { check, type Finding } from './checker';
import type { History } from './history';
import { NEMESES } from './nemeses';
import { type Lane, LANES, type Nemesis } from './nemeses/nemesis';
import { Random } from './random';
import { walkKillPoints } from './walk';
import { World, type WorldSettings } from './world';

export interface Plan extends WorldSettings {
  minutes: number;
  nemeses?: readonly Nemesis[];
  /** After the last fault everything has to be at an end within this. */
  settleMs?: number;
  /** Before anything else, a process dies at each kill point in turn. */
  walk?: boolean;
  /** Milliseconds between two strikes of a lane, at most; by default it depends on the lane. */
  pauseMs?: number;
}

export interface Outcome {
  findings: Finding[];
  history: History;
  /** By nemesis. */
  injections: Map<string, number>;
  /** Kill points at which no process died, when the plan was to walk through all of them. */
  pointsMissed: readonly string[];
  /** Milliseconds, null when it did not settle. */
  settledAfter: number | null;
}

const SETTLE_MS = 90_000;
/** Between two strikes of one lane, at most: the load must go on now and then. */
const PAUSE_MS: Readonly<Record<Lane, number>> = {
  servers: 8_000,
  agents: 4_000,
  redis: 2_000,
  postgres: 4_000,
  network: 3_000,
  requests: 1_000,
};

/** One world, a load, and the nemeses' lanes side by side; then the silence in which everything has to settle, and the verdict. */
export async function run(backends: Backends, plan: Plan, say: (line: string) => void): Promise<Outcome> {
  const world = await World.start(backends, plan);
  try {
    const injections = new Map<string, number>();
    world.load.start();
    const pointsMissed = plan.walk ? await walkKillPoints(world) : [];
    const until = Date.now() + plan.minutes * 60_000;
    const nemeses = plan.nemeses ?? NEMESES;
    await Promise.all(
      LANES.map((lane) =>
        runLane(
          world,
          nemeses.filter((one) => one.lane === lane),
          new Random(plan.seed, lane),
          until,
          plan.pauseMs ?? PAUSE_MS[lane],
          injections,
          say,
        ),
      ),
    );
    await sleep(Math.max(0, until - Date.now()));
    world.heal();
    await world.load.stop();
    const notReady = await world.waitUntilServersReady().then(
      () => [],
      (error: unknown) => [messageOf(error)],
    );
    say('the last fault is healed');
    const settledAfter = await world.settle(plan.settleMs ?? SETTLE_MS);
    const history = await world.history();
    return {
      findings: [...check(history), ...outsideFindings(world, notReady)],
      history,
      injections,
      pointsMissed,
      settledAfter,
    };
  } finally {
    await world.stop();
  }
}

async function runLane(
  world: World,
  nemeses: readonly Nemesis[],
  random: Random,
  until: number,
  pauseMs: number,
  injections: Map<string, number>,
  say: (line: string) => void,
): Promise<void> {
  const lots = nemeses.flatMap((nemesis) => Array.from({ length: nemesis.weight }, () => nemesis));
  while (lots.length > 0) {
    await sleep(random.whole(0, pauseMs));
    if (Date.now() > until) return;
    const nemesis = random.pick(lots);
    try {
      const done = await nemesis.strike(world, random);
      injections.set(nemesis.name, (injections.get(nemesis.name) ?? 0) + (done ? 1 : 0));
    } catch (error) {
      say(`${nemesis.name}: ${messageOf(error)}`);
    }
  }
}

/** What needs no history: a process that ended by itself, an answer that no trouble excuses. */
function outsideFindings(world: World, notReady: readonly string[]): Finding[] {
  const exits = world.processes.flatMap((process) =>
    process.exits.filter(({ wanted }) => !wanted).map(({ how }) => `${process.name} ended by itself: ${how}`),
  );
  const answers = world.unexpected.map(({ call, status, body }) => `${call} answered ${status}: ${body.slice(0, 300)}`);
  return [...notReady, ...world.crashes, ...exits, ...answers].map((why) => ({
    fault: 'unexplained',
    commandId: null,
    why,
  }));
}
