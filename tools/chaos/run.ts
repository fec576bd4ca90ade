import { messageOf, sleep } from '../servers/process';
import type { Backends } from './backends';
import { check, type Finding } from './checker';
import type { History } from './history';
import { NEMESES } from './nemeses';
import { type Lane, LANES, type Nemesis } from './nemeses/nemesis';
import { killPoints } from './kill-points';
import { Random } from './random';
import { walkKillPoints } from './walk';
import { World, type WorldSettings } from './world';

export interface Plan extends WorldSettings {
  minutes: number;
  nemeses?: readonly Nemesis[];
  /** After the last fault everything has to be at an end within this. */
  settleMs?: number;
  /** A process dies at each kill point in turn, before others die at random. */
  walk?: boolean;
  /** Ends before its minutes are over when so much has happened, deaths at kill points included. */
  injections?: number;
  /** Milliseconds between two strikes of a lane, at most; by default it depends on the lane. */
  pauseMs?: number;
  /** By which the default is multiplied where processes end and start again, for which a slower machine needs longer. */
  pauses?: number;
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

/** Those that end processes, or keep servers from starting. */
const ENDING: readonly Lane[] = ['servers', 'agents', 'postgres'];
const WALK = 'SIGKILL at a kill point that was left';
const SETTLE_MS = 90_000;
const PROGRESS_MS = 5 * 60_000;
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
    say('the load begins');
    const until = Date.now() + plan.minutes * 60_000;
    let walking = plan.walk === true;
    const isEnough = (): boolean =>
      Date.now() > until || (!walking && totalOf(injections) >= (plan.injections ?? Infinity));
    const nemeses = plan.nemeses ?? NEMESES;
    const walk = async (): Promise<string[]> => {
      const missed = await walkKillPoints(world, () => Date.now() > until);
      walking = false;
      injections.set(WALK, killPoints('apps/api/src').length + killPoints('apps/agent/src').length - missed.length);
      say(`every kill point but ${missed.length} has been died at`);
      return missed;
    };
    const lanes = LANES.map((lane): LanePlan => {
      const random = new Random(plan.seed, lane);
      // Whoever walks needs processes that come back.
      const waits = (): boolean => walking && ENDING.includes(lane);
      const own = nemeses.filter((one) => one.lane === lane);
      const pauses = ENDING.includes(lane) ? (plan.pauses ?? 1) : 1;
      return { nemeses: own, random, pauseMs: plan.pauseMs ?? PAUSE_MS[lane] * pauses, waits, isEnough };
    });
    const progress = setInterval(() => say(`${totalOf(injections)} injections`), PROGRESS_MS).unref();
    const [pointsMissed] = await Promise.all([
      walking ? walk() : [],
      ...lanes.map((lane) => runLane(world, lane, injections, say)),
    ]);
    while (!isEnough()) await sleep(50);
    clearInterval(progress);
    world.heal();
    await world.load.stop();
    const notReady = await world.waitUntilServersReady().then(
      (): Finding[] => [],
      (error: unknown): Finding[] => [{ fault: 'unexplained', commandId: null, why: messageOf(error) }],
    );
    say('the last fault is healed');
    const settledAfter = await world.settle(plan.settleMs ?? SETTLE_MS);
    const history = await world.history();
    return {
      findings: [...check(history), ...world.findings(), ...notReady],
      history,
      injections,
      pointsMissed,
      settledAfter,
    };
  } finally {
    await world.stop();
  }
}

export const totalOf = (injections: Outcome['injections']): number =>
  [...injections.values()].reduce((sum, count) => sum + count, 0);

interface LanePlan {
  nemeses: readonly Nemesis[];
  random: Random;
  pauseMs: number;
  waits: () => boolean;
  isEnough: () => boolean;
}

async function runLane(
  world: World,
  { nemeses, random, pauseMs, waits, isEnough }: LanePlan,
  injections: Map<string, number>,
  say: (line: string) => void,
): Promise<void> {
  const lots = nemeses.flatMap((nemesis) => Array.from({ length: nemesis.weight }, () => nemesis));
  while (lots.length > 0) {
    while (waits()) await sleep(50);
    await sleep(random.whole(0, pauseMs));
    if (isEnough()) return;
    const nemesis = random.pick(lots);
    try {
      const done = await nemesis.strike(world, random);
      injections.set(nemesis.name, (injections.get(nemesis.name) ?? 0) + (done ? 1 : 0));
    } catch (error) {
      say(`${nemesis.name}: ${messageOf(error)}`);
    }
  }
}
