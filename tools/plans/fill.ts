import { Client } from 'pg';

/** Ten thousand clients, a million commands (a tenth of them pending, some in flight, the rest ended), and a person confined to five clients. */
export async function fill(databaseUrl: string, adminId: string): Promise<{ client: string; confined: string }> {
  const db = new Client({ connectionString: databaseUrl });
  await db.connect();
  try {
    return await fillWith(db, adminId);
  } finally {
    await db.end();
  }
}

async function fillWith(db: Client, adminId: string): Promise<{ client: string; confined: string }> {
  await db.query(`INSERT INTO clients (id, name, status, groups) SELECT gen_random_uuid(), 'machine-' || n, CASE WHEN n % 2 = 0 THEN 'online' ELSE 'offline' END,
    ARRAY['group-' || n % 100] FROM generate_series(1, 10000) n`);
  await db.query(`CREATE TEMP TABLE numbered AS SELECT id, row_number() OVER (ORDER BY name) - 1 AS n FROM clients`);
  await db.query('CREATE UNIQUE INDEX ON numbered (n); ANALYZE numbered');
  // The times rise with the ids, as UUIDv7 does it.
  await db.query(
    `INSERT INTO commands (id, client_id, action, payload, priority, status, timeout_ms, created_by, authorized_by, created_at, due_at, deadline_at, completed_at)
     SELECT (lpad(to_hex(extract(epoch FROM t.at)::bigint * 1000), 12, '0') || '7' || substr(md5(t.n::text), 1, 19))::uuid, c.id, 'noop', '{}', t.n % 11, t.status,
       300000, $1, $1, t.at, t.at, CASE WHEN t.status IN ('dispatched', 'running') THEN now() + interval '5 minutes' END,
       CASE WHEN t.status IN ('completed', 'failed') THEN t.at END
     FROM (
       SELECT n, now() - interval '1 second' * (1000000 - n) AS at,
         CASE WHEN n % 10 = 0 THEN 'pending' WHEN n % 500 = 1 THEN 'running' WHEN n % 50 = 2 THEN 'failed' ELSE 'completed' END AS status
       FROM generate_series(1, 1000000) n
     ) t JOIN numbered c ON c.n = (t.n::bigint * 7919) % 10000`,
    [adminId],
  );
  await db.query(
    `INSERT INTO users (id, email, name, password_hash, scope) VALUES (gen_random_uuid(), 'confined@example.com', 'Confined', '-', 'granted')`,
  );
  await db.query(
    `INSERT INTO client_permissions (id, client_id, user_id, actions)
     SELECT gen_random_uuid(), n.id, u.id, '{*}' FROM numbered n, users u WHERE n.n < 5 AND u.email = 'confined@example.com'`,
  );
  await db.query('VACUUM ANALYZE');
  const [first] = (await db.query<{ id: string }>(`SELECT c.id FROM clients c WHERE c.status = 'online' AND EXISTS (SELECT 1 FROM commands p WHERE p.client_id = c.id AND p.status = 'pending') LIMIT 1`)).rows;
  const [confined] = (await db.query<{ id: string }>(`SELECT id FROM users WHERE email = 'confined@example.com'`)).rows;
  return { client: first?.id ?? '', confined: confined?.id ?? '' };
}
