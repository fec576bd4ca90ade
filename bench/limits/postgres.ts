import { setTimeout as wait } from 'node:timers/promises';
import { Client } from 'pg';
import { v7 as uuid } from 'uuid';
import { now } from '../processes/clock';
import { percentile } from '../report/figures';

/** The rows of one life, step by step, for any number of commands in one statement. */
const STEPS = [
  `WITH added AS (
     INSERT INTO commands (id, client_id, action, payload, timeout_ms, created_by, authorized_by)
     SELECT n.id, n.client_id, 'noop', '{"echo": 1}', 300000, $3::uuid, $3::uuid FROM unnest($1::uuid[], $2::uuid[]) AS n (id, client_id) RETURNING id, client_id
   ), logged AS (INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT id, 1, 'created', 1 FROM added)
   INSERT INTO audit_log (id, actor_type, actor_id, actor_name, address, action, target_type, target_id, client_id, outcome, detail, request_id)
   SELECT uuidv7(), 'user', $3, 'admin@example.com', '127.0.0.1', 'commands.create', 'command', id, client_id, 'done', '{"action": "noop"}', gen_random_uuid() FROM added`,
  `WITH moved AS (
     UPDATE commands SET status = 'dispatched', dispatched_at = now(), revision = revision + 1, deadline_at = now() + interval '5 minutes'
     WHERE id = ANY($1::uuid[]) AND status = 'pending' AND $2::uuid[] IS NOT NULL AND $3::uuid IS NOT NULL RETURNING id, revision
   ) INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT id, revision, 'dispatched', 1 FROM moved`,
  `WITH moved AS (
     UPDATE commands SET status = 'running', started_at = now(), revision = revision + 1, deadline_at = now() + interval '5 minutes'
     WHERE id = ANY($1::uuid[]) AND status = 'dispatched' AND $2::uuid[] IS NOT NULL AND $3::uuid IS NOT NULL RETURNING id, revision
   ) INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT id, revision, 'running', 1 FROM moved`,
  `WITH moved AS (
     UPDATE commands SET status = 'completed', completed_at = now(), revision = revision + 1,
       result = '{"success": true, "data": {"echo": 1, "run": 1, "exitCode": 0}, "durationMs": 0}',
       reported = '{"attempt": 1, "body": {"success": true, "data": {"echo": 1, "run": 1, "exitCode": 0}, "durationMs": 0}}'
     WHERE id = ANY($1::uuid[]) AND status = 'running' AND $2::uuid[] IS NOT NULL AND $3::uuid IS NOT NULL RETURNING id, client_id, revision
   ), logged AS (INSERT INTO command_logs (command_id, revision, event_type, attempt, data) SELECT id, revision, 'completed', 1, '{"success": true}' FROM moved)
   INSERT INTO audit_log (id, actor_type, actor_id, actor_name, address, action, target_type, target_id, client_id, outcome, detail, request_id)
   SELECT uuidv7(), 'agent', client_id, 'agent', '127.0.0.1', 'commands.result', 'command', id, client_id, 'done', '{"state": "completed"}', gen_random_uuid() FROM moved`,
];

/** PostgreSQL alone, on a copy of the server's database: the same rows, prepared statements, nothing else. */
export class PostgresLimits {
  private constructor(
    private readonly url: string,
    private readonly clientIds: string[],
    private readonly adminId: string,
  ) {}

  static async on(url: string): Promise<PostgresLimits> {
    const client = await open(url);
    await client.query(
      `INSERT INTO clients (id, name) SELECT gen_random_uuid(), 'limit-' || n FROM generate_series(1, 100) n`,
    );
    const { rows } = await client.query<{ id: string }>('SELECT id FROM clients');
    const users = await client.query<{ id: string }>('SELECT id FROM users');
    await client.end();
    return new PostgresLimits(
      url,
      rows.map(({ id }) => id),
      users.rows[0]?.id ?? '',
    );
  }

  /** Lives a second: each connection takes `group` commands through the four steps, a transaction a step; then all of them are counted. */
  async livesPerSecond(connections: number, group: number, seconds: number): Promise<number> {
    const counter = await open(this.url);
    const before = await count(counter);
    const began = now();
    const end = began + seconds * 1000;
    let lives = 0;
    const work = async (): Promise<void> => {
      const client = await open(this.url);
      for (let turn = 0; now() < end; turn++) {
        const ids = Array.from({ length: group }, () => uuid());
        const clientIds = ids.map((_, n) => this.clientIds[(turn + n) % this.clientIds.length]);
        for (const [step, text] of STEPS.entries())
          await client.query({ name: `step${step}`, text, values: [ids, clientIds, this.adminId] });
        lives += group;
      }
      await client.end();
    };
    await Promise.all(Array.from({ length: connections }, work));
    const took = (now() - began) / 1000;
    const written = (await count(counter)) - before;
    await counter.end();
    if (written !== lives) throw new Error(`PostgreSQL has ${written} completed commands more, not ${lives}`);
    return lives / took;
  }

  /** One row in one transaction, p50 in ms. */
  async oneCommit(times: number): Promise<number> {
    const client = await open(this.url);
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

async function open(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString });
  await client.connect();
  return client;
}

async function count(client: Client): Promise<number> {
  const { rows } = await client.query<{ n: string }>(`SELECT count(*) AS n FROM commands WHERE status = 'completed'`);
  return Number(rows[0]?.n);
}
