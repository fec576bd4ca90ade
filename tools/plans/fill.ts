import { Client } from 'pg';

export interface Size {
  /** A multiple of 100. */
  clients: number;
  /** At least ten a client. */
  commands: number;
}

/** People by how much they reach, and the things that are asked about. */
export interface Filled {
  /** A client that is online and has work that waits. */
  client: string;
  batch: string;
  /** The command in the middle of all: a cursor far down the list. */
  middle: string;
  /** Points in PostgreSQL's order of transactions, by how many commands changed after them. */
  points: { changes: number; point: string }[];
  people: Record<Reach, string>;
  size: Size;
}

/**
 * `few`: five clients, by grants of their own. `region`: four of ten clients, by a group. `most`: 99 of a hundred clients, by a group and
 * a role. `dormant`: a fifth of the clients, by a group, none of which has had a command lately. `seldom`: all clients, by a group, for
 * an action whose last command is as old.
 */
export const REACHES = ['few', 'region', 'most', 'dormant', 'seldom'] as const;
export type Reach = (typeof REACHES)[number];
const GROUP_OF: Partial<Record<Reach, { group: string; action: string }>> = {
  region: { group: 'region', action: '*' },
  dormant: { group: 'dormant', action: '*' },
  seldom: { group: 'everywhere', action: 'system_info' },
};

/** Many clients and commands (a tenth of them pending, some in flight, the rest ended), an audit row a command, and people of all reaches. */
export async function fill(databaseUrl: string, adminId: string, size: Size): Promise<Filled> {
  const db = new Client({ connectionString: databaseUrl });
  await db.connect();
  try {
    return await fillWith(db, adminId, size);
  } finally {
    await db.end();
  }
}

/** A client within the reach of this person that has had commands. */
export async function clientOf(databaseUrl: string, userId: string): Promise<string> {
  const db = new Client({ connectionString: databaseUrl });
  await db.connect();
  try {
    const text = 'SELECT client_id AS id FROM client_reach r WHERE user_id = $1 AND EXISTS (SELECT 1 FROM commands c WHERE c.client_id = r.client_id) LIMIT 1';
    return (await db.query<{ id: string }>(text, [userId])).rows[0]?.id ?? '';
  } finally {
    await db.end();
  }
}

async function fillWith(db: Client, adminId: string, size: Size): Promise<Filled> {
  const { clients, commands } = size;
  await db.query(
    `INSERT INTO clients (id, name, status, groups) SELECT gen_random_uuid(), 'machine-' || n, CASE WHEN n % 2 = 0 THEN 'online' ELSE 'offline' END,
       ARRAY['everywhere', 'group-' || n % 100] || CASE WHEN n < $1 * 0.4 THEN '{region}'::text[] ELSE '{}' END
         || CASE WHEN n >= $1 * 0.8 THEN '{dormant}'::text[] ELSE '{}' END || CASE WHEN n % 100 <> 7 THEN '{most}'::text[] ELSE '{}' END
     FROM generate_series(0, $1::integer - 1) n`,
    [clients],
  );
  await db.query(`CREATE TEMP TABLE numbered AS SELECT id, substr(name, 9)::integer AS n FROM clients`);
  await db.query('CREATE UNIQUE INDEX ON numbered (n); ANALYZE numbered');
  const [batch] = (await db.query<{ id: string }>(
    `INSERT INTO batches (id, action, total, created_by) VALUES (gen_random_uuid(), 'noop', $2, $1) RETURNING id`, [adminId, clients * 0.8],
  )).rows;
  // The oldest commands, ten a client, are those of the dormant clients; every client but those has one in the batch, which is the newest of all.
  // The times rise with the ids, as UUIDv7 does it.
  await db.query(
    `INSERT INTO commands (id, client_id, batch_id, action, payload, priority, status, timeout_ms, created_by, authorized_by, created_at, due_at, deadline_at, completed_at)
     SELECT (lpad(to_hex(extract(epoch FROM t.at)::bigint * 1000), 12, '0') || '7' || substr(md5(t.n::text), 1, 19))::uuid, c.id,
       CASE WHEN t.n > $2 - 0.8 * $3 THEN $4::uuid END, CASE WHEN t.n <= 2 * $3 AND t.n % 40 = 0 THEN 'system_info' ELSE 'noop' END, '{}', t.n % 11, t.status,
       300000, $1, $1, t.at, t.at, CASE WHEN t.status IN ('dispatched', 'running') THEN now() + interval '5 minutes' END,
       CASE WHEN t.status IN ('completed', 'failed') THEN t.at END
     FROM (
       SELECT n, now() - interval '1 second' * ($2::integer - n) AS at,
         CASE WHEN n % 10 = 0 THEN 'pending' WHEN n % 500 = 1 THEN 'running' WHEN n % 51 = 2 THEN 'failed' ELSE 'completed' END AS status
       FROM generate_series(1, $2::integer) n
     ) t JOIN numbered c ON c.n = CASE WHEN t.n <= 2 * $3 THEN 0.8 * $3 + t.n % (0.2 * $3) ELSE (t.n::bigint * 7919) % (0.8 * $3)::integer END`,
    [adminId, commands, clients, batch?.id],
  );
  await fillAudit(db, adminId);
  const points = [];
  for (const [changes = 0, after = 0] of [[500, 3], [3]]) points.push({ changes, point: await fillNews(db, changes - after) });
  const people = await fillPeople(db, adminId);
  await db.query('VACUUM ANALYZE');
  const one = async (text: string, values: unknown[] = []): Promise<string> => (await db.query<{ id: string }>(text, values)).rows[0]?.id ?? '';
  return {
    client: await one(`SELECT c.id FROM clients c WHERE c.status = 'online' AND EXISTS (SELECT 1 FROM commands p WHERE p.client_id = c.id AND p.status = 'pending') LIMIT 1`),
    batch: batch?.id ?? '',
    middle: await one('SELECT id FROM commands ORDER BY id OFFSET $1 LIMIT 1', [commands / 2]),
    points,
    people,
    size,
  };
}

/** A sealed row a command, without the triggers that would seal them one by one. */
async function fillAudit(db: Client, adminId: string): Promise<void> {
  await db.query(`SET session_replication_role = replica`);
  await db.query(
    `INSERT INTO audit_log (id, at, actor_type, actor_id, actor_name, action, target_type, target_id, client_id, outcome)
     SELECT id, created_at, 'user', $1, 'admin@example.com', CASE WHEN status = 'failed' THEN 'commands.result' ELSE 'commands.create' END, 'command', id::text, client_id,
       CASE WHEN priority = 3 AND status = 'failed' THEN 'refused' ELSE 'done' END FROM commands`,
    [adminId],
  );
  await db.query(
    `INSERT INTO audit_seals (position, audit_id, leaf)
     SELECT (SELECT coalesce(max(position), 0) FROM audit_seals) + row_number() OVER (ORDER BY id), id, '\\x00' FROM audit_log WHERE action LIKE 'commands.%'`,
  );
  await db.query(`SET session_replication_role = origin`);
}

/** The beginnings of the newest commands' histories; answers a point before them. */
async function fillNews(db: Client, changes: number): Promise<string> {
  const [{ point } = { point: '0' }] = (await db.query<{ point: string }>('SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS point')).rows;
  await db.query(
    `INSERT INTO command_logs (command_id, revision, event_type, attempt)
     SELECT id, 1, 'created', 1 FROM commands c WHERE NOT EXISTS (SELECT FROM command_logs l WHERE l.command_id = c.id) ORDER BY id DESC LIMIT $1`, [changes],
  );
  return point;
}

async function fillPeople(db: Client, adminId: string): Promise<Record<Reach, string>> {
  const people: Partial<Record<Reach, string>> = {};
  for (const reach of REACHES) {
    const [user] = (await db.query<{ id: string }>(
      `INSERT INTO users (id, email, name, password_hash, scope) VALUES (gen_random_uuid(), $1, $2, '-', 'granted') RETURNING id`, [`${reach}@example.com`, reach],
    )).rows;
    people[reach] = user?.id ?? '';
    await db.query(`INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = 'operator'`, [user?.id]);
    const place = GROUP_OF[reach];
    if (place) {
      await db.query(
        'INSERT INTO client_permissions (id, group_name, user_id, actions, created_by) VALUES (gen_random_uuid(), $1, $2, ARRAY[$3], $4)',
        [place.group, user?.id, place.action, adminId],
      );
    }
  }
  await db.query(`INSERT INTO roles (id, name, permissions, scope) VALUES (gen_random_uuid(), 'most', '{commands.read,clients.read}', 'granted')`);
  await db.query(`INSERT INTO user_roles (user_id, role_id) SELECT $1, id FROM roles WHERE name = 'most'`, [people.most]);
  await db.query(
    `INSERT INTO client_permissions (id, group_name, role_id, actions, created_by) SELECT gen_random_uuid(), 'most', id, '{*}', $1 FROM roles WHERE name = 'most'`, [adminId],
  );
  await db.query(
    `INSERT INTO client_permissions (id, client_id, user_id, actions) SELECT gen_random_uuid(), id, $1, '{*}' FROM numbered WHERE n < 5`, [people.few],
  );
  return people as Record<Reach, string>;
}
