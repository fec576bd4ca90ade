import type { Client } from 'pg';
import { sleep } from '../servers/process';
import type { Overrun } from './history';
import { withClient } from './witnesses';

const LOOK_MS = 25;
/** An emergency may take one slot more than there are. */
const OVERRUN = `SELECT c.id AS "clientId", c.concurrency AS slots, count(*)::integer AS taken
  FROM clients c JOIN commands k ON k.client_id = c.id WHERE k.phase = 'open'
  GROUP BY c.id HAVING count(*) > c.concurrency + bool_or(k.priority = 10)::integer`;

/** Asks PostgreSQL directly, again and again, whether more is in flight on a client than its slots allow: afterwards nobody could tell. */
export class SlotWatch {
  readonly overruns: Overrun[] = [];
  private stopping = false;
  private watching?: Promise<void>;

  /** `url` is asked anew after each loss of the connection. */
  start(url: () => string): void {
    this.watching = this.watch(url);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.watching;
  }

  private async watch(url: () => string): Promise<void> {
    while (!this.stopping) {
      await withClient(url(), (client) => this.look(client)).catch(() => undefined);
      await sleep(LOOK_MS);
    }
  }

  private async look(client: Client): Promise<void> {
    while (!this.stopping) {
      const { rows } = await client.query<Omit<Overrun, 'at'>>(OVERRUN);
      this.overruns.push(...rows.map((row) => ({ ...row, at: Date.now() })));
      await sleep(LOOK_MS);
    }
  }
}
