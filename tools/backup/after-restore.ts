import { ACTIONS } from '@gwanje/contracts';
import { Client } from 'pg';

const IN_DOUBT = 'restored from a backup: whether it was done after the backup, nobody knows';

/**
 * What a restored database says of its own time is not true any more. Commands that waited or were handed out may have been done since the
 * backup: those that must not be done twice become `indeterminate`, and people may retry them. And another cluster counts its transactions
 * anew: what was written by a number that is still to come would be news for ever. Works on the schema of any version.
 */
export async function settle(databaseUrl: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query('BEGIN');
    await putInDoubt(client);
    await bringBack(client);
    await client.query('COMMIT');
  } finally {
    await client.end();
  }
}

async function putInDoubt(client: Client): Promise<void> {
  const repeatable = Object.entries(ACTIONS).flatMap(([name, { idempotent }]) => (idempotent ? [name] : []));
  // Whatever waits is taken for handed out: from there the doubt is a legal move.
  const steps = [
    { from: 'pending', to: 'dispatched', set: 'dispatched_at = now()' },
    { from: 'dispatched', to: 'indeterminate', set: `completed_at = now(), error_message = '${IN_DOUBT}'` },
  ];
  for (const { from, to, set } of steps) {
    await client.query(
      `WITH moved AS (
         UPDATE commands SET status = '${to}', ${set}, revision = revision + 1 WHERE status = '${from}' AND action <> ALL($1) RETURNING id, revision, attempt
       )
       INSERT INTO command_logs (command_id, revision, event_type, attempt, data) SELECT id, revision, '${to}', attempt, '{"by":"restore"}' FROM moved`,
      [repeatable],
    );
  }
}

async function bringBack(client: Client): Promise<void> {
  const { rows } = await client.query<{ name: string; stamp: string; type: 'xid8' | 'pg_snapshot' }>(
    `SELECT quote_ident(table_name) AS name, quote_ident(column_name) AS stamp, udt_name AS type FROM information_schema.columns
     WHERE table_schema = 'public' AND udt_name IN ('xid8', 'pg_snapshot')`,
  );
  for (const { name, stamp, type } of rows) {
    // What a rule has seen, and up to where it has looked, is now; everything else was long ago.
    const [value, latest] =
      type === 'pg_snapshot' ? ['pg_current_snapshot()', `pg_snapshot_xmax(${stamp})`]
      : stamp === 'told_below' ? ['pg_snapshot_xmin(pg_current_snapshot())', stamp]
      : [`'3'::xid8`, stamp];
    await client.query(`UPDATE ${name} SET ${stamp} = ${value} WHERE ${latest} > pg_current_xact_id()`);
  }
}
