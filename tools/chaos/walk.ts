import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../servers/process';
import { killPoints } from './kill-points';
import type { Supervised } from './supervised';
import type { World } from './world';

const LOOK_MS = 20;
/** Some points are passed only when an agent comes back, or finds what it had begun: one of them is ended for it, while the others work on. */
const NUDGE_MS = 1_500;
const BEFORE_RECOVERY = 'runner.after-run';

/**
 * Has a process die at each kill point: whoever passes one at which none has died yet does. Ends when there is none left, or when it is
 * late; answers the points that are left.
 */
export async function walkKillPoints(world: World, isLate: () => boolean): Promise<string[]> {
  const places: [Set<string>, Supervised[]][] = [
    [new Set(killPoints('apps/api/src')), world.servers],
    [new Set(killPoints('apps/agent/src')), world.agents.map(({ process }) => process)],
  ];
  for (const [points, processes] of places)
    for (const process of processes) for (const point of points) process.arm(point, 1);
  const left = (): string[] => places.flatMap(([points]) => [...points]);
  const [nudged] = world.agents;
  let nextNudge = Date.now() + NUDGE_MS;
  for (; left().length > 0 && !isLate(); await sleep(LOOK_MS)) {
    for (const point of deaths(world))
      for (const [points, processes] of places)
        if (points.delete(point)) for (const process of processes) process.disarm(point);
    if (Date.now() < nextNudge) continue;
    nextNudge = Date.now() + NUDGE_MS;
    if (!nudged || !(await world.isOnline(nudged))) continue;
    // Armed again by the supervisor, it dies a second time while it looks at what it had begun.
    if (left().some((point) => point.startsWith('recover.'))) nudged.process.arm(BEFORE_RECOVERY, 1);
    else {
      nudged.process.disarm(BEFORE_RECOVERY);
      void nudged.process.kill();
    }
  }
  for (const [, processes] of places) for (const process of processes) process.disarm();
  return left();
}

function deaths(world: World): string[] {
  const file = join(world.folder, 'kill-points-fired');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
}
