import type { Client } from 'pg';
import { isDeepStrictEqual } from 'node:util';
import type { Accepted } from './load/generator';
import type { Life } from './simulator/terms';
import { OUTPUT } from './simulator/simulated-agent';

/** What the benchmark believes has happened. */
export interface Claims {
  accepted: Accepted[];
  /** Batches that the server has taken, and to how many machines. */
  batches: { batchId: string; count: number }[];
  /** What the agents ran. */
  lives: Life[];
  /** In which state every command must be by now. */
  state: 'completed' | 'pending';
  /** Whether both output streams must be there. */
  output?: boolean;
}

export interface Verdict {
  commands: number;
  faults: string[];
}

interface Row {
  id: string;
  client_id: string;
  batch_id: string | null;
  status: string;
  attempt: number;
  echo: number | null;
  data: unknown;
  created: number;
  dispatched: number;
  ended: number;
  recorded: number;
}

/**
 * Holds what is in PostgreSQL against what the load generator was told and the agents did: every command is there once, with one
 * creation, one end and one audited result, the very result that its one execution sent, on the machine that it was meant for.
 */
export class ReadBack {
  private constructor(
    private readonly database: Client,
    private readonly since: string,
  ) {}

  /** From now on: what was there before is not looked at. */
  static async begin(database: Client): Promise<ReadBack> {
    // What was written a moment ago has no statistics yet: its rows must not be joined one by one.
    await database.query('SET enable_nestloop = off');
    const { rows } = await database.query<{ now: string }>('SELECT clock_timestamp()::text AS now');
    return new ReadBack(database, rows[0]?.now ?? '');
  }

  async verify(claims: Claims): Promise<Verdict> {
    const rows = await this.rows();
    const faults = [...this.strangers(rows, claims), ...faultsOfRows(rows, claims), ...faultsOfLives(rows, claims)];
    if (claims.output) faults.push(...(await this.faultsOfOutput(rows)));
    return { commands: rows.size, faults };
  }

  private async rows(): Promise<Map<string, Row>> {
    const { rows } = await this.database.query<Row>(
      `SELECT c.id, c.client_id, c.batch_id, c.status, c.attempt, (c.payload->>'echo')::integer AS echo, c.result->'data' AS data,
         coalesce(l.created, 0) AS created, coalesce(l.dispatched, 0) AS dispatched, coalesce(l.ended, 0) AS ended, coalesce(a.recorded, 0) AS recorded
       FROM commands c
       LEFT JOIN (
         SELECT command_id, count(*) FILTER (WHERE event_type = 'created')::integer AS created,
           count(*) FILTER (WHERE event_type = 'dispatched')::integer AS dispatched,
           count(*) FILTER (WHERE event_type IN ('completed', 'failed', 'timed_out', 'cancelled', 'expired', 'indeterminate'))::integer AS ended
         FROM command_logs WHERE created_at >= $1 GROUP BY command_id
       ) l ON l.command_id = c.id
       LEFT JOIN (
         SELECT target_id, count(*)::integer AS recorded FROM audit_log WHERE at >= $1 AND action = 'commands.result' GROUP BY target_id
       ) a ON a.target_id = c.id::text
       WHERE c.created_at >= $1`,
      [this.since],
    );
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Commands that nobody was told of, and commands that somebody was told of and that are not there. */
  private strangers(rows: Map<string, Row>, { accepted, batches }: Claims): string[] {
    const faults: string[] = [];
    const told = new Set(accepted.map(({ id }) => id));
    if (told.size !== accepted.length)
      faults.push(`doubled: ${accepted.length - told.size} ids were answered more than once`);
    for (const id of told)
      if (!rows.has(id)) faults.push(`lost: command ${id} was answered with 201 and is not in PostgreSQL`);
    const known = new Set(batches.map(({ batchId }) => batchId));
    const sizes = new Map<string, number>();
    for (const { id, batch_id: batch } of rows.values()) {
      if (batch !== null && known.has(batch)) sizes.set(batch, (sizes.get(batch) ?? 0) + 1);
      else if (!told.has(id)) faults.push(`doubled: command ${id} is in PostgreSQL, and nobody was told of it`);
    }
    for (const { batchId, count } of batches) {
      const size = sizes.get(batchId) ?? 0;
      if (size !== count)
        faults.push(`${size < count ? 'lost' : 'doubled'}: batch ${batchId} has ${size} commands, not ${count}`);
    }
    return faults;
  }

  private async faultsOfOutput(rows: Map<string, Row>): Promise<string[]> {
    const { rows: outputs } = await this.database.query<{ command_id: string; stream: string; text: string }>(
      'SELECT command_id, stream, text FROM command_outputs WHERE command_id = ANY($1)',
      [[...rows.keys()]],
    );
    const there = new Map<string, string[]>();
    for (const { command_id: id, stream, text } of outputs)
      there.set(id, [...(there.get(id) ?? []), `${stream}: ${text}`]);
    const wanted = Object.entries(OUTPUT)
      .map(([stream, text]) => `${stream}: ${text}`)
      .sort();
    return [...rows.keys()]
      .filter((id) => !isDeepStrictEqual(there.get(id)?.sort(), wanted))
      .map((id) => `lost: the output of command ${id} is ${JSON.stringify(there.get(id) ?? [])}`);
  }
}

function* faultsOfRows(rows: Map<string, Row>, { accepted, state }: Claims): Generator<string> {
  const meant = new Map(accepted.map((command) => [command.id, command]));
  const moves = state === 'completed' ? 1 : 0;
  for (const row of rows.values()) {
    const told = meant.get(row.id);
    if (told && (told.clientId !== row.client_id || told.echo !== row.echo))
      yield `lost: command ${row.id} is for another machine or has another payload`;
    if (row.status !== state) yield `lost: command ${row.id} is ${row.status}, not ${state}`;
    if (row.attempt !== 1 || row.created !== 1 || row.dispatched > moves || row.ended > moves || row.recorded > moves) {
      yield `doubled: command ${row.id} has attempt ${row.attempt}, ${row.created} creations, ${row.dispatched} dispatches, ${row.ended} ends, ${row.recorded} audited results`;
    } else if (row.dispatched < moves || row.ended < moves || row.recorded < moves) {
      yield `lost: the history or the audit row of command ${row.id} is not complete`;
    }
  }
}

function* faultsOfLives(rows: Map<string, Row>, { lives, state }: Claims): Generator<string> {
  const ran = new Set<string>();
  for (const { id, clientId, data } of lives) {
    const row = rows.get(id);
    if (ran.has(id)) yield `doubled: command ${id} was run and answered more than once`;
    else if (!row) yield `lost: command ${id} was run and is not in PostgreSQL`;
    else if (row.client_id !== clientId) yield `lost: command ${id} was run by another machine`;
    else if (!isDeepStrictEqual(row.data, data))
      yield `lost: the result of command ${id} is ${JSON.stringify(row.data)}, the agent sent ${JSON.stringify(data)}`;
    ran.add(id);
  }
  if (state !== 'completed') return;
  for (const id of rows.keys()) if (!ran.has(id)) yield `lost: command ${id} was never run`;
}
