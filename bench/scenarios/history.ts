import type { Bench } from '../bench';
import { type Figure, percentile } from '../report/figures';
import { pacedLatencies, warmUp } from './latency';
import type { Scenario } from './scenario';

const AT_ONCE = 100_000;

export const history: Scenario = {
  name: 'history',
  about: 'create → agent has it, with 10,000 and 1,000,000 (--full: and 10,000,000) commands stored',
  async run(bench: Bench): Promise<Figure[]> {
    const sizes = bench.size([10_000, 1_000_000, ...(bench.options.full ? [10_000_000] : [])], [1_000, 20_000]);
    const machines = await bench.clients(100);
    const ids = machines.map(({ id }) => id);
    const figures: Figure[] = [];
    let stored = 0;
    let first: number | undefined;
    for (const size of sizes) {
      for (; stored < size; stored += Math.min(AT_ONCE, size - stored)) {
        await store(bench, stored, Math.min(AT_ONCE, size - stored));
        bench.say(
          `  ${Math.min(size, stored + AT_ONCE).toLocaleString('en')} of ${size.toLocaleString('en')} commands stored`,
        );
      }
      await bench.installation.rest();
      await bench.connect(machines);
      await warmUp(bench, ids);
      const { arrival, durable } = await pacedLatencies(bench, ids, bench.size(300, 30));
      const p50 = percentile(arrival, 0.5);
      first ??= p50;
      bench.curves.push({ name: `create → agent, ${size.toLocaleString('en')} stored`, samples: arrival });
      figures.push({
        name: `create → agent p50, ${size.toLocaleString('en')} stored`,
        value: p50,
        unit: 'ms',
        note: `p99 ${percentile(arrival, 0.99).toFixed(1)}; durable p50 ${percentile(durable, 0.5).toFixed(1)}, p99 ${percentile(durable, 0.99).toFixed(1)} ms`,
      });
      if (figures.length > 1)
        figures.push({
          name: 'the same, growth since the first size',
          value: 100 * (p50 / first - 1),
          unit: '%',
          bound: { atMost: 20 },
        });
    }
    return figures;
  },
};

/**
 * Completed commands of the last year, with the history and the audit rows of each, evenly over the machines. By SQL and without
 * triggers, which would take days; the ids rise with the times, as the server makes them.
 */
async function store(bench: Bench, from: number, count: number): Promise<void> {
  const { database } = bench.installation;
  await database.query('BEGIN');
  await database.query('SET LOCAL session_replication_role = replica');
  await database.query(
    `CREATE TEMP TABLE old ON COMMIT DROP AS
     SELECT (lpad(to_hex((extract(epoch FROM t.at) * 1000)::bigint), 12, '0') || '7' || substr(md5(t.n::text), 1, 3) || '8' || substr(md5(t.n::text), 4, 15))::uuid AS id, t.at, c.id AS client_id
     FROM (SELECT n, now() - interval '1 year' + n * interval '3 seconds' AS at FROM generate_series($1::integer, $1::integer + $2::integer - 1) n) t
     JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS n, count(*) OVER () AS all FROM clients) c ON c.n = t.n % c.all`,
    [from, count],
  );
  await database.query(
    `INSERT INTO commands (id, client_id, action, payload, status, revision, timeout_ms, created_by, authorized_by, result, reported,
       created_at, due_at, dispatched_at, started_at, completed_at)
     SELECT id, client_id, 'noop', '{"echo": 1}', 'completed', 4, 300000, u.user_id, u.user_id,
       '{"success": true, "data": {"echo": 1, "run": 1, "exitCode": 0}, "durationMs": 0}',
       '{"attempt": 1, "body": {"success": true, "data": {"echo": 1, "run": 1, "exitCode": 0}, "durationMs": 0}}', at, at, at, at, at
     FROM old, (SELECT id AS user_id FROM users LIMIT 1) u`,
  );
  await database.query(
    `INSERT INTO command_logs (command_id, revision, event_type, attempt, created_at)
     SELECT id, e.revision, e.type, 1, at FROM old, (VALUES (1, 'created'), (2, 'dispatched'), (3, 'running'), (4, 'completed')) AS e (revision, type)`,
  );
  await database.query(
    `INSERT INTO audit_log (id, at, actor_type, actor_id, actor_name, action, target_type, target_id, client_id, outcome, request_id)
     SELECT uuidv7(), at, e.actor, client_id, e.name, e.action, 'command', old.id, client_id, 'done', gen_random_uuid()
     FROM old, (VALUES ('user', 'admin@example.com', 'commands.create'), ('agent', 'agent', 'commands.result')) AS e (actor, name, action)`,
  );
  await database.query('COMMIT');
}
