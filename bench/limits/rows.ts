import { Client } from 'pg';

/** As the server's own connections: planned once, by index, whatever the tables hold by then. */
const PLANNING =
  '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off';

/*
 * The rows of one life (a command, four entries of its history, two of the audit log) as parts of a `WITH`, for any number of commands;
 * the arguments are the places of the values: arrays of the same length, and the administrator.
 */

const audited = (from: string, actor: string, action: string, detail: string): string => `
  INSERT INTO audit_log (id, actor_type, actor_id, actor_name, address, action, target_type, target_id, client_id, outcome, detail, request_id)
  SELECT uuidv7(), ${actor}, '127.0.0.1', '${action}', 'command', id, client_id, 'done', '${detail}', gen_random_uuid() FROM ${from}`;

/** A command is born `pending`, or `dispatched` when its agent listens: then both entries of its history are written at once. */
const created = (ids: string, clientIds: string, born: string, admin: string): string => `
  created AS (
    INSERT INTO commands (id, client_id, action, payload, timeout_ms, created_by, authorized_by, status, revision, dispatched_at, deadline_at)
    SELECT id, client_id, 'noop', '{"echo": 1}', 300000, ${admin}::uuid, ${admin}::uuid, status, CASE status WHEN 'pending' THEN 1 ELSE 2 END,
      CASE status WHEN 'dispatched' THEN now() END, CASE status WHEN 'dispatched' THEN now() + interval '5 minutes' END
    FROM unnest(${ids}::uuid[], ${clientIds}::uuid[], ${born}::text[]) AS n (id, client_id, status) RETURNING id, client_id, revision
  ), created_entries AS (
    INSERT INTO command_logs (command_id, revision, event_type, attempt) SELECT id, entry, event, 1 FROM created
    JOIN (VALUES (1, 'created'), (2, 'dispatched')) AS entries (entry, event) ON entry <= revision
  ), created_audit AS (${audited('created', `'user', ${admin}, 'admin@example.com'`, 'commands.create', '{"action": "noop"}')})`;

const moved = (from: string, to: string, stamp: string, ids: string, and = '', data = "'{}'"): string => `
  ${to} AS (
    UPDATE commands SET status = '${to}', ${stamp} = now(), revision = revision + 1, deadline_at = now() + interval '5 minutes'${and}
    WHERE id = ANY(${ids}::uuid[]) AND status = '${from}' RETURNING id, client_id, revision
  ), ${to}_entries AS (
    INSERT INTO command_logs (command_id, revision, event_type, attempt, data) SELECT id, revision, '${to}', 1, ${data}::jsonb FROM ${to}
  )`;

const dispatched = (ids: string): string => moved('pending', 'dispatched', 'dispatched_at', ids);

const started = (ids: string): string => moved('dispatched', 'running', 'started_at', ids);

const ended = (ids: string): string =>
  `${moved(
    'running',
    'completed',
    'completed_at',
    ids,
    `, result = '{"success": true, "data": {"echo": 1, "run": 1, "exitCode": 0}, "durationMs": 0}',
    reported = '{"attempt": 1, "body": {"success": true, "data": {"echo": 1, "run": 1, "exitCode": 0}, "durationMs": 0}}'`,
    `'{"success": true}'`,
  )}, completed_audit AS (${audited('completed', `'agent', client_id, 'agent'`, 'commands.result', '{"state": "completed"}')})`;

const statement = (...parts: string[]): string => `WITH ${parts.join(', ')} SELECT 1`;

/** A life in four statements, one a step. The first takes ids, clients, states of birth and the administrator, the others ids. */
export const STEPS = [
  statement(created('$1', '$2', '$3', '$4')),
  statement(dispatched('$1')),
  statement(started('$1')),
  statement(ended('$1')),
];

/** Steps of any commands as one statement: those that are created (as above), those that start, and those that end. */
export const ANY_STEPS = statement(created('$1', '$2', '$3', '$4'), started('$5'), ended('$6'));

export async function connect(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString, options: PLANNING });
  await client.connect();
  return client;
}

/** Who gives all commands: the administrator that the server's own start has made. */
export async function administrator(client: Client): Promise<string> {
  const { rows } = await client.query<{ id: string }>('SELECT id FROM users');
  return rows[0]?.id ?? '';
}

/** Machines to give them to. */
export async function addClients(client: Client, ids: string[]): Promise<void> {
  await client.query('INSERT INTO clients (id, name) SELECT id, id::text FROM unnest($1::uuid[]) AS n (id)', [ids]);
}

/** So many commands are there in these states; an error says which are not. */
export async function holdAgainst(url: string, expected: Record<string, number>): Promise<void> {
  const client = await connect(url);
  const { rows } = await client.query<{ status: string; n: string }>(
    'SELECT status, count(*) AS n FROM commands GROUP BY status',
  );
  await client.end();
  const found = Object.fromEntries(rows.map(({ status, n }) => [status, Number(n)]));
  for (const status of new Set([...Object.keys(expected), ...Object.keys(found)]))
    if (found[status] !== expected[status])
      throw new Error(`PostgreSQL has ${found[status] ?? 0} ${status} commands, not ${expected[status] ?? 0}`);
}
