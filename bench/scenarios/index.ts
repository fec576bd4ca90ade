import { backlog } from './backlog';
import { console100 } from './console';
import { create } from './create';
import { emergency } from './emergency';
import { fanout } from './fanout';
import { history } from './history';
import { idle } from './idle';
import { latency } from './latency';
import { limits } from './limits';
import { oneAgent } from './one-agent';
import type { Scenario } from './scenario';
import { throughput } from './throughput';

/** In the order of a whole run: the yardstick first. */
export const SCENARIOS: readonly Scenario[] = [
  limits,
  latency,
  throughput,
  create,
  oneAgent,
  fanout,
  idle,
  backlog,
  emergency,
  console100,
  history,
];
