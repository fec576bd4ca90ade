import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { open } from 'lmdb';
import { Client } from 'pg';
import type { Audit, Effect, Entry, Log, Row } from './history';

/** The tag travels in the payload, in a place that each action has; the content of a file is sealed. */
const TAG = `coalesce(payload->'args'->>1, payload->>'echo', regexp_replace(payload->>'path', '^.*/', '')) || CASE WHEN batch_id IS NULL THEN '' ELSE '/' || client_id END`;

/** PostgreSQL's own words on every command at one moment, asked directly and not through Gwanje. */
export async function askPostgres(url: string): Promise<{ rows: Row[]; logs: Log[]; audits: Audit[] }> {
  return withClient(url, async (client) => {
    const ask = async <T>(text: string): Promise<T[]> => (await client.query(text)).rows as T[];
    await ask('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const rows = await ask<Row>(
      `SELECT id, client_id AS "clientId", ${TAG} AS tag, batch_id AS "batchId", action, status, attempt, max_attempts AS "maxAttempts", revision,
         extract(epoch FROM created_at)::float8 * 1000 AS "createdAt", (reported->>'attempt')::integer AS "reportedAttempt", result, error_message AS "errorMessage"
       FROM commands ORDER BY id`,
    );
    const logs = await ask<Log>(
      `SELECT command_id AS "commandId", revision, event_type AS event, attempt, extract(epoch FROM created_at)::float8 * 1000 AS at, data
       FROM command_logs ORDER BY command_id, revision`,
    );
    const audits = await ask<Audit>(
      `SELECT target_id AS "commandId", action, outcome, detail FROM audit_log WHERE target_type = 'command' AND outcome = 'done'
       UNION ALL SELECT target_id, action, outcome, detail FROM audit_log WHERE target_type = 'command' AND outcome = 'refused' AND action = 'commands.result'
         AND detail ? 'state'
       UNION ALL SELECT target_id, action, outcome, detail FROM audit_log WHERE action = 'commands.create_batch' AND outcome = 'done'`,
    );
    return { rows, logs, audits };
  });
}

/** When an attempt was due, handed out and begun, in milliseconds; Infinity for what has not happened yet, and nothing prevents. */
export interface Wait {
  dueAt: number;
  dispatchedAt: number;
  startedAt: number;
}

/** Of all attempts that were not ended before they began. */
export async function readWaits(url: string): Promise<Wait[]> {
  return withClient(url, async (client) => {
    const at = (event: string): string =>
      `coalesce(extract(epoch FROM max(l.created_at) FILTER (WHERE event_type = '${event}'))::float8 * 1000, 'Infinity')`;
    const { rows } = await client.query<Wait>(
      `SELECT extract(epoch FROM max(CASE event_type WHEN 'created' THEN greatest(l.created_at, c.not_before)
           WHEN 'retry' THEN l.created_at + make_interval(secs => (l.data->>'delaySeconds')::float8) END))::float8 * 1000 AS "dueAt",
         ${at('dispatched')} AS "dispatchedAt", ${at('running')} AS "startedAt"
       FROM command_logs l JOIN commands c ON c.id = l.command_id GROUP BY l.command_id, l.attempt
       HAVING bool_or(event_type = 'running') OR NOT bool_or(event_type IN ('cancelled', 'expired', 'failed', 'completed'))`,
    );
    return rows;
  });
}

/** The clients that are connected, as PostgreSQL knows it. */
export async function readOnline(url: string): Promise<string[]> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ id: string }>(`SELECT id FROM clients WHERE status = 'online'`);
    return rows.map(({ id }) => id);
  });
}

/** How many commands are not at an end. */
export async function countOpen(url: string): Promise<number> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM commands WHERE phase COLLATE "C" IN ('pending', 'open')`,
    );
    return rows[0]?.count ?? 0;
  });
}

/** What an agent's journal holds, read from its file beside the agent. */
export async function readJournal(clientId: string, dataDir: string): Promise<Entry[]> {
  const path = join(dataDir, 'journal.mdb');
  if (!existsSync(path)) return [];
  const db = open<{ frame?: { id: string; attempt: number }; state?: string }, string>({
    path,
    encoding: 'json',
    readOnly: true,
  });
  const entries = [...db.getRange()].flatMap(({ value: { frame, state } }) =>
    // One of them counts the sessions.
    frame && state ? [{ clientId, commandId: frame.id, attempt: frame.attempt, state }] : [],
  );
  await db.close();
  return entries;
}

/** The lines that the action wrote, in order. */
export function readEffects(clientId: string, file: string): Effect[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [tag = '', commandId = '', attempt = '0'] = line.split(' ');
      return { clientId, tag, commandId, attempt: Number(attempt) };
    });
}

/** Content by file name. */
export function readFiles(folder: string): [string, string][] {
  return readdirSync(folder)
    .filter((name) => !name.endsWith('.part'))
    .map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
}

export async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
