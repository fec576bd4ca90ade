import type { DataSource, Logger } from 'typeorm';

interface Sent {
  text: string;
  values: unknown[];
}

/** What PostgreSQL did for one query. */
export interface Work {
  plan: string[];
  returned: number;
  /** Rows that scans of tables read, whether they were of use or not. */
  read: number;
  /** The tables that were read from their beginning to their end. */
  scannedWhole: string[];
  ms: number;
}

export interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Rows Removed by Index Recheck'?: number;
  Plans?: PlanNode[];
}

/** Settings of a server that does nothing by itself meanwhile. */
export const QUIET = { SWEEP_MS: '3600000', AUDIT_SEAL_MS: '3600000' };

const quiet = (): void => undefined;
const silent: Logger = { logQuery: quiet, logQueryError: quiet, logQuerySlow: quiet, logSchemaBuild: quiet, logMigration: quiet, log: quiet };

/** Runs `act`, and tells what each query cost that it sent to read commands, clients or the audit log. */
export async function work(database: DataSource, act: () => Promise<unknown>, prepare?: string): Promise<Work[]> {
  const done: Work[] = [];
  for (const sent of await capture(database, act)) done.push(await explain(database, sent, prepare));
  return done;
}

async function capture(database: DataSource, act: () => Promise<unknown>): Promise<Sent[]> {
  const sent: Sent[] = [];
  database.logger = { ...silent, logQuery: (text: string, values?: unknown[]) => void sent.push({ text, values: values ?? [] }) };
  try {
    await act();
  } finally {
    database.logger = silent;
  }
  return sent.filter(({ text }) => /^\s*(SELECT|WITH)/.test(text) && /\b(FROM|JOIN) (commands|clients|audit_log|command_logs)\b/.test(text) && !/FOR NO KEY UPDATE/.test(text));
}

/** Runs the query once more in a transaction that is undone, after `prepare`. */
async function explain(database: DataSource, { text, values }: Sent, prepare?: string): Promise<Work> {
  const runner = database.createQueryRunner();
  const ask = async <T>(options: string): Promise<T[]> => {
    await runner.startTransaction();
    if (prepare) await runner.query(prepare);
    const rows = (await runner.query(`EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF, ${options}) ${text}`, values)) as { 'QUERY PLAN': T }[];
    await runner.rollbackTransaction();
    return rows.map((row) => row['QUERY PLAN']);
  };
  try {
    const [[measured]] = (await ask<unknown>('FORMAT JSON')) as [[{ Plan: PlanNode; 'Execution Time': number }]];
    const plan = (await ask<string>('FORMAT TEXT')).map((line) => line.replace(/\s+$/, ''));
    const nodes = [...walk(measured.Plan)];
    return {
      plan,
      returned: measured.Plan['Actual Rows'] * measured.Plan['Actual Loops'],
      read: nodes.reduce((sum, node) => sum + readBy(node), 0),
      scannedWhole: [...new Set(nodes.flatMap((node) => (node['Node Type'].includes('Seq Scan') && node['Actual Loops'] > 0 ? (node['Relation Name'] ?? []) : [])))],
      ms: measured['Execution Time'],
    };
  } finally {
    await runner.release();
  }
}

export function* walk(node: PlanNode): Generator<PlanNode> {
  yield node;
  for (const child of node.Plans ?? []) yield* walk(child);
}

/** Rows that a scan read; they are told as averages of its loops. */
export function readBy(node: PlanNode): number {
  if (node['Relation Name'] === undefined || !node['Node Type'].includes('Scan')) return 0;
  return Math.round((node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) * node['Actual Loops']);
}
