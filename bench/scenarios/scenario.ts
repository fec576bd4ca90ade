import type { Bench } from '../bench';
import type { Figure } from '../report/figures';

/** One question to the server. It runs on a server and a database of its own, and reads back all that it has caused. */
export interface Scenario {
  name: string;
  about: string;
  /** It measures something else: the server would only be in the way. */
  withoutServer?: true;
  /** Its bounds depend on how the agents are connected: it is run over each transport, unless one is asked for. */
  overEachTransport?: true;
  run(bench: Bench): Promise<Figure[]>;
}
