import type { AuditFilter } from '@gwanje/contracts';
import { DataSource } from 'typeorm';
import { AuditReader } from '../../apps/api/src/audit/audit-reader';
import { CommandReader } from '../../apps/api/src/commands/command-reader';
import { CommandRetention } from '../../apps/api/src/commands/command-retention';
import type { ListCommandsDto } from '../../apps/api/src/commands/commands.dto';
import { Conditions } from '../../apps/api/src/core/database/conditions';
import { TestEnvironment } from '../../apps/api/test/support/environment';
import { confinedCases, person } from './cases';
import { QUIET, work } from './explain';
import { clientOf, fill, type Filled, type Reach, REACHES } from './fill';

const SIZE = { clients: 500, commands: 60_000 };
const PAGE = 51;
/** Each query may look at every grant that reaches a client, and at every client, once. */
const REACH = 3 * SIZE.clients;
/** The newest of all, once for the page and once to see whether there are older ones. */
const NEWEST = 2 * 2_000;
/** The newest of each client, and a page each of a page of clients. */
const OF_EACH_CLIENT = SIZE.clients + PAGE * PAGE;
const LIST = 3 * REACH + NEWEST + OF_EACH_CLIENT;

/** The most rows that may be read, whatever the history. They are counted, and not the time: a plan that reads everything is as bad on a fast machine. */
const BOUNDS: Record<string, number> = {
  commands: LIST,
  'commands by status': LIST,
  'commands of a status that none is in': LIST,
  'commands by client': REACH + 4 * PAGE,
  'commands of a batch': REACH + SIZE.clients,
  'commands from the middle on': LIST,
  clients: REACH,
  batch: REACH + SIZE.clients,
  'news of 500 commands': 2 * REACH + SIZE.clients + 2 * 500,
  'news of 3 commands': 2 * REACH + SIZE.clients,
  audit: LIST,
  'audit of one action': LIST,
  'audit of what was refused': REACH + SIZE.commands / 51,
};

/** What is not bounded so: an action that was last ordered long ago is looked for in every client's history. */
const UNBOUNDED: Partial<Record<Reach, Record<string, number>>> = {
  seldom: { commands: LIST + SIZE.commands, 'commands from the middle on': LIST + SIZE.commands, audit: LIST + 3 * SIZE.commands },
};

/** None of what is filled in is as old. */
const KEPT = { COMMAND_RETENTION_DAYS: '30', OUTPUT_RETENTION_DAYS: '30', ARTIFACT_RETENTION_DAYS: '30' };

describe('the queries of a large database', () => {
  let env: TestEnvironment;
  let filled: Filled;
  beforeAll(async () => {
    env = await TestEnvironment.create({ ...QUIET, ...KEPT });
    const [admin] = await env.sql<{ id: string }>('SELECT id FROM users');
    filled = await fill(env.databaseUrl, admin?.id ?? '', SIZE);
  }, 120_000);
  afterAll(() => env.destroy());

  const cost = async (reach: Reach): Promise<{ title: string; read: number; scannedWhole: string[] }[]> => {
    const userId = filled.people[reach];
    const costs = [];
    for (const { title, act } of confinedCases(env.app, filled, userId, await clientOf(env.databaseUrl, userId))) {
      const done = await work(env.app.get(DataSource), act);
      costs.push({ title, read: done.reduce((sum, { read }) => sum + read, 0), scannedWhole: done.flatMap(({ scannedWhole }) => scannedWhole) });
    }
    return costs;
  };

  it('look at nothing that the policy keeps', async () => {
    const retention = env.app.get(CommandRetention, { strict: false });
    const done = await work(env.app.get(DataSource), () => retention.drop(new Date()));
    expect(done.map(({ read }) => read)).toEqual([0, 0, 0]);
  });

  it.each(REACHES)('read little more than they answer, of people confined to grants: %s', async (reach) => {
    const costs = await cost(reach);
    expect(costs.map(({ title }) => title)).toEqual(Object.keys(BOUNDS));
    const tooMuch = costs.filter(({ title, read }) => read > (UNBOUNDED[reach]?.[title] ?? BOUNDS[title] ?? 0));
    const whole = costs.filter(({ scannedWhole }) => scannedWhole.some((table) => ['commands', 'audit_log'].includes(table)));
    expect([...tooMuch, ...whole]).toEqual([]);
    // Something was read at all, or nothing would have been compared.
    expect(costs.filter(({ read }) => read >= PAGE).length).toBeGreaterThan(8);
  }, 60_000);

  it.each(REACHES)('answer exactly what is within reach, page by page: %s', async (reach) => {
    const reader = env.app.get(CommandReader, { strict: false });
    const me = person(filled.people[reach], false);
    for (const asked of [{}, { status: 'pending' }, { cursor: filled.middle }, { action: 'system_info' }] satisfies Partial<ListCommandsDto>[]) {
      const conditions = new Conditions().given('c.status = ?', asked.status).given('c.id < ?', asked.cursor).given('c.action = ?', asked.action);
      conditions.and(
        `EXISTS (SELECT FROM client_reach r WHERE r.user_id = ? AND r.client_id = c.client_id AND (r.actions @> '{*}' OR r.actions @> ARRAY[c.action]))`, me.id,
      );
      const truth = await env.sql<{ id: string }>(`SELECT id FROM commands c WHERE ${conditions.sql} ORDER BY id DESC LIMIT 90`, conditions.values);
      const found: string[] = [];
      for (let cursor: string | null | undefined = asked.cursor; found.length < 90 && cursor !== null; ) {
        const { items, nextCursor } = await reader.list({ ...asked, limit: 30, ...(cursor !== undefined && { cursor }) }, me);
        found.push(...items.map(({ id }) => id));
        cursor = nextCursor;
      }
      expect(found).toEqual(truth.map(({ id }) => id));
    }
  });

  it.each(REACHES)('show of the audit log exactly what may be seen, page by page: %s', async (reach) => {
    const reader = env.app.get(AuditReader, { strict: false });
    const me = person(filled.people[reach], false);
    let seen = 0;
    for (const filter of [{}, { action: 'commands.result' }, { outcome: 'done' }] satisfies AuditFilter[]) {
      const { sql, values } = reader.select(filter, me);
      const truth = await env.sql<{ id: string }>(`SELECT id FROM audit_log a WHERE ${sql} ORDER BY at DESC, id DESC LIMIT 90`, values);
      const found: string[] = [];
      for (let cursor: string | null | undefined; found.length < 90 && cursor !== null; ) {
        const { items, nextCursor } = await reader.list({ ...filter, limit: 30, ...(cursor !== undefined && { cursor }) }, me);
        found.push(...items.map(({ id }) => id));
        cursor = nextCursor;
      }
      expect(found).toEqual(truth.map(({ id }) => id));
      seen += found.length;
    }
    expect(seen).toBeGreaterThan(20);
  });
});
