import { sleep } from '../../servers/process';
import type { Random } from '../random';
import type { World } from '../world';

export const LANES = ['servers', 'agents', 'redis', 'postgres', 'network', 'requests'] as const;
export type Lane = (typeof LANES)[number];

/** One kind of fault. Those of one lane come one after another, those of different lanes overlap. */
export interface Nemesis {
  name: string;
  lane: Lane;
  /** How often it is chosen within its lane. */
  weight: number;
  /** Does it once, and heals it before it resolves; false when nothing has come of it: there was nothing to do it to. */
  strike: (world: World, random: Random) => Promise<boolean>;
}

/** Heals after `ms`, whatever happens meanwhile. */
export async function during(ms: number, heal: () => Promise<unknown> | void): Promise<true> {
  try {
    await sleep(ms);
  } finally {
    await heal();
  }
  return true;
}
