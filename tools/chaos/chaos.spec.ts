import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../start/folder';
import { Backends } from './backends';
import { BUGS } from './bugs';
import { killPoints, sourcesBelow } from './kill-points';
import { NEMESES } from './nemeses';
import { describeOutcome } from './report';
import { type Plan, run, totalOf } from './run';

const MARKED = ['apps/api/src', 'apps/agent/src'];
const points = MARKED.flatMap(killPoints);
/** So many things have to go wrong in the gate, in at most so many minutes beside the walk through the kill points. */
const INJECTIONS = 300;
const MINUTES = 7;
/** What takes longer than a gate should. */
const LONG = /beyond every time-out|rolling restart/;

describe('the kill points', () => {
  it('have names of their own, and each mark is one', () => {
    const marks = MARKED.flatMap(sourcesBelow).flatMap((source) => source.match(/kill.?point/gi) ?? []);
    expect(marks).toHaveLength(points.length);
    expect(new Set(points).size).toBe(points.length);
    expect(points.length).toBeGreaterThanOrEqual(24);
  });
});

describe('the planted bugs', () => {
  it.each(BUGS.flatMap(({ name, patches }) => patches.map((patch) => ({ name, ...patch }))))(
    'fit the source: $name, $file',
    ({ file, search }) => {
      expect(readFileSync(join(ROOT, file), 'utf8').split(search)).toHaveLength(2);
    },
  );
});

describe('servers and agents under faults', () => {
  let backends: Backends;
  beforeAll(async () => {
    backends = await Backends.start();
  }, 60_000);
  afterAll(() => backends.stop());

  it('lose nothing and do nothing twice, though one of them dies at every kill point in turn', async () => {
    const nemeses = NEMESES.filter(({ name }) => !LONG.test(name));
    const amount = { minutes: MINUTES, injections: INJECTIONS, pauseMs: 1_500, settleMs: 120_000, walk: true };
    // No more than agents that are ended again and again can do, on a machine that does other things beside.
    const plan: Plan = { seed: 42, servers: 2, agents: 3, rate: 6, nemeses, ...amount };
    const outcome = await run(backends, plan, () => undefined);
    process.stdout.write(`${describeOutcome(plan, outcome)}\n`);
    const verdict = { findings: outcome.findings.length, settled: outcome.settledAfter !== null };
    expect(verdict).toEqual({ findings: 0, settled: true });
    expect(outcome.pointsMissed).toEqual([]);
    expect(totalOf(outcome.injections)).toBeGreaterThanOrEqual(INJECTIONS);
    expect(outcome.history.rows.length).toBeGreaterThan(100);
  }, 600_000);
});
