import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { loadConfig } from '../../apps/api/src/core/config/config';
import { createServer } from '../../apps/api/src/server';
import { startPostgres } from '../servers/postgres';
import { startRedis } from '../servers/redis';
import { confinedCases, hotCases } from './cases';
import { QUIET, type Work, work } from './explain';
import { clientOf, fill, REACHES } from './fill';

const SIZE = { clients: 10_000, commands: 1_000_000 };
/** Of these the last query is shown; of all, the numbers. */
const SHOWN: Record<string, string[]> = { region: ['commands', 'clients'], dormant: ['commands', 'audit'] };

/** `npm run plans`: runs the hot queries of the server on a large database, and writes down how PostgreSQL answers each of them. */
async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'gwanje-plans-'));
  chmodSync(folder, 0o711);
  const postgres = await startPostgres(join(folder, 'postgres'), console.log, { fast: true });
  const redis = await startRedis(join(folder, 'redis'), console.log);
  try {
    const config = loadConfig({
      DATABASE_URL: postgres.url, REDIS_URL: redis.url, JWT_SECRET: randomUUID() + randomUUID(), ARTIFACTS_DIR: join(folder, 'artifacts'),
      AUDIT_KEY_FILE: join(folder, 'audit-key.pem'), ADMIN_PASSWORD: randomUUID(), ...QUIET,
    });
    const app = await createServer(config, false);
    await app.init();
    const database = app.get(DataSource);
    const [admin] = await database.query<{ id: string }[]>('SELECT id FROM users');
    console.log('Filling: 10,000 clients, 1,000,000 commands of which 100,000 wait, 1,000,000 audit rows …');
    const filled = await fill(postgres.url, admin?.id ?? '', SIZE);
    const plans: string[] = [];
    for (const one of hotCases(app, filled, admin?.id ?? '')) {
      plans.push('', `## ${one.title}`);
      for (const { plan } of await work(database, one.act, one.prepare)) plans.push('', '```', ...plan, '```');
    }
    const table = ['| who | asks for | rows | rows read | ms |', '|---|---|--:|--:|--:|'];
    for (const reach of REACHES) {
      const userId = filled.people[reach];
      for (const one of confinedCases(app, filled, userId, await clientOf(postgres.url, userId))) {
        const done = await work(database, one.act, one.prepare);
        const sum = (of: (work: Work) => number): number => done.reduce((total, each) => total + of(each), 0);
        const numbers = [done.at(-1)?.returned ?? 0, sum(({ read }) => read), sum(({ ms }) => ms)].map((number) => Math.ceil(number).toLocaleString('en'));
        table.push(`| ${reach} | ${one.title} | ${numbers.join(' | ')} |`);
        if (SHOWN[reach]?.includes(one.title)) plans.push('', `## ${reach}: ${one.title}`, '', '```', ...(done.at(-1)?.plan ?? []), '```');
      }
    }
    writeFileSync(join(__dirname, '..', '..', 'docs', 'query-plans.md'), `${[...INTRODUCTION, ...table, ...plans].join('\n')}\n`);
    console.log(table.join('\n'));
    await app.close();
  } finally {
    await redis.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const INTRODUCTION = `# How PostgreSQL answers the hot queries

\`npm run plans\`: 10,000 clients, 1,000,000 commands of which 100,000 are pending, an audit row a command; every query as the server sends it.

## People confined to grants

\`few\` reaches five clients by grants of their own, \`region\` 4,000 by a group, \`most\` 9,900 by a group and a role. \`dormant\` reaches 2,000
clients whose commands are the oldest of all, \`seldom\` every client for one action whose commands are as old. Where an answer takes
several queries, the numbers are of all of them together. \`tools/plans/plans.spec.ts\` holds the rows read to bounds on a smaller set.

- A list of commands looks through the newest 2,000 of what is asked for (of one status then 50,000, for whoever reaches many clients). When they do not fill the page,
  each client within reach is asked for its newest, and of the clients whose newest are the newest, as many as a page has rows, a page
  each is read. So the cost grows with the clients in reach, and not with the history.
- A list of clients, a batch and news read each client, each command of the batch and each that changed once at most, and beside them
  what is in reach.
- The audit log is read the same way: the newest 2,000 of what is asked for, then client by client.
- One question does read the history: \`seldom\` has an action that was last ordered long ago looked for in every client's commands, and
  in every client's audit rows.
`.split('\n');

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
