import { messageOf } from '../servers/process';
import type { Backends } from './backends';
import type { Bug } from './bugs';
import { FAULTS } from './checker';
import { describeOutcome } from './report';
import { run } from './run';

const MINUTES = 0.25;
const SETTLE_MS = 20_000;
/** A bug that shows by chance gets another. */
const TRIES = 2;

/** Plants each bug by itself; true when every one was found. */
export async function hunt(
  backends: Backends,
  seed: number,
  bugs: readonly Bug[],
  say: (line: string) => void,
): Promise<boolean> {
  // What is found without a bug would be found with each of them.
  const control = await find(backends, seed, {
    name: 'no bug',
    patches: [],
    nemeses: [...new Set(bugs.flatMap(({ nemeses }) => nemeses))],
  });
  say(`control without a bug: ${control ?? 'nothing found'}`);
  if (control) return false;
  let caught = 0;
  for (const bug of bugs) {
    const evidence = await find(backends, seed, bug);
    if (evidence) caught++;
    say(`${evidence ? 'caught' : 'MISSED'}  ${bug.name}${evidence ? `  (${evidence})` : ''}`);
  }
  say(`planted bugs caught: ${caught} of ${bugs.length}`);
  return caught === bugs.length;
}

/** How the bug showed, or null. Kill points that a patch makes are there only with it. */
async function find(backends: Backends, seed: number, { patches, nemeses, load }: Bug): Promise<string | null> {
  for (let tries = 0; tries < TRIES; tries++) {
    const plan = {
      seed: seed + tries,
      minutes: MINUTES,
      servers: 2,
      agents: 2,
      rate: 25,
      patches,
      nemeses,
      pauseMs: 1_500,
      settleMs: SETTLE_MS,
      ...(load && { load }),
    };
    try {
      const outcome = await run(backends, plan, () => undefined);
      const { findings, settledAfter } = outcome;
      if (patches.length === 0 && findings.length > 0) return describeOutcome(plan, outcome);
      const counts = FAULTS.map(
        (fault) => [findings.filter((finding) => finding.fault === fault).length, fault] as const,
      ).filter(([count]) => count > 0);
      if (counts.length > 0)
        return `${counts.map(([count, fault]) => `${count} ${fault}`).join(', ')}: ${(findings[0]?.why ?? '').split('\n')[0]?.slice(0, 150)}`;
      if (settledAfter === null) return 'it does not settle';
    } catch (error) {
      // A world that does not start proves nothing of the checker.
      throw new Error(`the plan failed: ${messageOf(error)}`, { cause: error });
    }
  }
  return null;
}
