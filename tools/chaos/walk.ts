import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../servers/process';
import { killPoints } from './kill-points';
import type { Supervised } from './supervised';
import type { World } from './world';

const PATIENCE_MS = 30_000;
/** Some points are passed only when an agent comes back, or finds what it had begun. */
const NUDGE_MS = 1_500;

/** Has a process die at each kill point in turn; answers the points at which none did. */
export async function walkKillPoints(world: World): Promise<string[]> {
  const missed: string[] = [];
  const places: [readonly string[], Supervised[]][] = [
    [killPoints('apps/api/src'), world.servers],
    [killPoints('apps/agent/src'), world.agents.map(({ process }) => process)],
  ];
  for (const [points, processes] of places)
    for (const point of points) if (!(await dieAt(world, point, processes))) missed.push(point);
  return missed;
}

async function dieAt(world: World, point: string, processes: readonly Supervised[]): Promise<boolean> {
  const before = deaths(world, point);
  for (const process of processes) process.arm(point, 1);
  try {
    const began = Date.now();
    for (let nudges = 0; Date.now() - began < PATIENCE_MS; await sleep(10)) {
      if (deaths(world, point) > before) return true;
      if (Date.now() - began < NUDGE_MS * (nudges + 1)) continue;
      const agent = world.agents[nudges++ % world.agents.length];
      // Armed again by the supervisor, it dies a second time while it looks at what it had begun.
      if (point.startsWith('recover.')) agent?.process.arm('runner.after-run', 1);
      else void agent?.process.kill();
    }
    return false;
  } finally {
    for (const process of processes) process.disarm();
  }
}

function deaths(world: World, point: string): number {
  const file = join(world.folder, 'kill-points-fired');
  return existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((name) => name === point).length
    : 0;
}
