import { setTimeout as wait } from 'node:timers/promises';
import { v7 as uuid } from 'uuid';
import { now } from '../processes/clock';
import { percentile } from '../report/figures';
import { addClients, administrator, connect, holdAgainst, STEPS } from './rows';

/** PostgreSQL alone, on a copy of the server's database: the same rows, prepared statements, nothing else. */
export class PostgresLimits {
  /** So many were lived so far. */
  private lives = 0;

  private constructor(
    private readonly url: string,
    private readonly clientIds: string[],
    private readonly adminId: string,
  ) {}

  static async on(url: string): Promise<PostgresLimits> {
    const client = await connect(url);
    const clientIds = Array.from({ length: 100 }, () => uuid());
    await addClients(client, clientIds);
    const limits = new PostgresLimits(url, clientIds, await administrator(client));
    await client.end();
    return limits;
  }

  /** Lives a second: each connection takes `group` commands through the four steps, a transaction a step; then all of them are counted. */
  async livesPerSecond(connections: number, group: number, seconds: number): Promise<number> {
    const began = now();
    const end = began + seconds * 1000;
    const born = Array.from({ length: group }, () => 'pending');
    const before = this.lives;
    const work = async (): Promise<void> => {
      const client = await connect(this.url);
      for (let turn = 0; now() < end; turn++) {
        const ids = Array.from({ length: group }, () => uuid());
        const clientIds = ids.map((_, n) => this.clientIds[(turn + n) % this.clientIds.length]);
        for (const [step, text] of STEPS.entries())
          await client.query({
            name: `step${step}`,
            text,
            values: step === 0 ? [ids, clientIds, born, this.adminId] : [ids],
          });
        this.lives += group;
      }
      await client.end();
    };
    await Promise.all(Array.from({ length: connections }, work));
    const took = (now() - began) / 1000;
    await holdAgainst(this.url, { completed: this.lives });
    return (this.lives - before) / took;
  }

  /** One row in one transaction, p50 in ms. */
  async oneCommit(times: number): Promise<number> {
    const client = await connect(this.url);
    await client.query('CREATE TABLE one_commit (id uuid PRIMARY KEY, at timestamptz DEFAULT now())');
    const samples: number[] = [];
    for (let n = 0; n < times; n++) {
      const began = now();
      await client.query({ name: 'one', text: 'INSERT INTO one_commit (id) VALUES ($1)', values: [uuid()] });
      samples.push(now() - began);
      await wait(10);
    }
    await client.end();
    return percentile(samples, 0.5);
  }
}
