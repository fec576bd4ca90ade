import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource, type Logger } from 'typeorm';
import { CommandReader } from '../../apps/api/src/commands/command-reader';
import { CommandSweeps } from '../../apps/api/src/commands/command-sweeps';
import { CommandStore } from '../../apps/api/src/commands/command-store';
import { loadConfig } from '../../apps/api/src/core/config/config';
import type { Person } from '../../apps/api/src/core/access/access';
import { createServer } from '../../apps/api/src/server';
import { startPostgres } from '../servers/postgres';
import { startRedis } from '../servers/redis';
import { fill } from './fill';

/** `npm run plans`: runs the hot queries of the server on a large database, and writes down how PostgreSQL answers each of them. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gwanje-plans-'));
  chmodSync(folder, 0o711);
  const postgres = await startPostgres(join(folder, 'postgres'), console.log, { fast: true });
  const redis = await startRedis(join(folder, 'redis'), console.log);
  try {
    const config = loadConfig({
      DATABASE_URL: postgres.url, REDIS_URL: redis.url, JWT_SECRET: randomUUID() + randomUUID(), ARTIFACTS_DIR: join(folder, 'artifacts'),
      AUDIT_KEY_FILE: join(folder, 'audit-key.pem'), ADMIN_PASSWORD: randomUUID(), SWEEP_MS: '3600000',
    });
    const app = await createServer(config, false);
    await app.init();
    const database = app.get(DataSource);
    const [admin] = await database.query<{ id: string }[]>('SELECT id FROM users');
    console.log('Filling: 10,000 clients, 1,000,000 commands of which 100,000 wait …');
    const { client, confined } = await fill(postgres.url, admin?.id ?? '');
    const store = app.get(CommandStore, { strict: false });
    const sweeps = app.get(CommandSweeps, { strict: false });
    const reader = app.get(CommandReader, { strict: false });
    const everything = person(admin?.id ?? '', true);
    const page = { limit: 50 };
    const cases: [string, () => Promise<unknown>][] = [
      ['claim for one client', () => database.transaction((transaction) => store.claim([client], transaction))],
      ['sweep: expire', () => sweeps.expire(500)],
      ['sweep: time out', () => sweeps.timeOut(500)],
      ['sweep: clients with due work and a free slot', () => sweeps.findStarving(500)],
      ['list by client', () => reader.list({ ...page, clientId: client }, everything)],
      ['list by status', () => reader.list({ ...page, status: 'failed' }, everything)],
      ['list of a person confined to five clients', () => reader.list(page, person(confined, false))],
      ['queue of a client', () => reader.queue(client, everything)],
    ];
    const report = [`# How PostgreSQL answers the hot queries`, '', `\`npm run plans\`: 10,000 clients, 1,000,000 commands of which 100,000 are pending; every query as the server sends it.`];
    for (const [title, act] of cases) report.push(...(await explain(database, title, act)));
    writeFileSync(join(__dirname, '..', '..', 'docs', 'query-plans.md'), `${report.join('\n')}\n`);
    console.log(report.join('\n'));
    await app.close();
  } finally {
    await redis.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function person(id: string, all: boolean): Person {
  const permissions: Person['permissions'] = ['commands.read', 'clients.read'];
  const secondFactor = { enabled: false, required: false, satisfied: true };
  const origin = { requestId: 'plans', address: '127.0.0.1' };
  return { type: 'user', id, email: '', name: '', roles: [], secondFactor, permissions, everywhere: all ? permissions : [], rightsVersion: 1, origin };
}

/** Runs `act`, catches the queries that it sends, and explains each once more in a transaction that is undone. */
async function explain(database: DataSource, title: string, act: () => Promise<unknown>): Promise<string[]> {
  const sent: { text: string; values: unknown[] }[] = [];
  const quiet = (): void => undefined;
  const silent: Logger = { logQuery: quiet, logQueryError: quiet, logQuerySlow: quiet, logSchemaBuild: quiet, logMigration: quiet, log: quiet };
  database.logger = { ...silent, logQuery: (text: string, values?: unknown[]) => void sent.push({ text, values: values ?? [] }) };
  await act();
  database.logger = silent;
  const lines = ['', `## ${title}`, ''];
  const runner = database.createQueryRunner();
  for (const { text, values } of sent.filter((query) => /^\s*(SELECT|WITH)/.test(query.text) && query.text.includes('commands'))) {
    await runner.startTransaction();
    // The run before took the free slots of the client: it gets new ones, so that the claim has something to do again.
    await runner.query('UPDATE clients SET concurrency = 500');
    const rows = (await runner.query(`EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF) ${text}`, values)) as { 'QUERY PLAN': string }[];
    await runner.rollbackTransaction();
    lines.push('```', ...rows.map((row) => row['QUERY PLAN'].replace(/\s+$/, '')), '```');
  }
  await runner.release();
  return lines;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
