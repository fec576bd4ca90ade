import type { Alert, AlertDelivery, AlertMessage } from '@gwanje/contracts';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from '../src/core/database/owner';
import { createDatabase, dropDatabase, eventually, TestEnvironment } from './support/environment';
import { HookReceiver } from './support/hook-receiver';
import { MailServer } from './support/mail-server';

/** Longer than the test: what is gathered goes when the test says so. */
const GATHER_MS = 3_600_000;

describe('alerts by the hundred', () => {
  let env: TestEnvironment;
  let receiver: HookReceiver;
  let mails: MailServer;
  let hook: string;
  let mail: string;
  let count = 0;

  beforeAll(async () => {
    [receiver, mails] = [await HookReceiver.start(), await MailServer.start()];
    env = await TestEnvironment.create({
      ALERT_WEBHOOK_ALLOW: '127.0.0.1/32', ALERT_RETRY_MS: '50', ALERT_GATHER_MS: String(GATHER_MS), SMTP_URL: mails.url, MAIL_FROM: 'Gwanje <gwanje@example.com>',
    });
    const channel = async (body: object): Promise<string> => ((await env.post('/api/alerts/channels', body).expect(201)).body as { id: string }).id;
    hook = await channel({ name: 'hook', kind: 'webhook', url: receiver.url });
    mail = await channel({ name: 'mail', kind: 'email', addresses: ['on-call@example.com'] });
    await env.sql(`UPDATE gateways SET started_at = now() - interval '1 day'`);
  });
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.always = undefined;
    mails.mails.length = 0;
  });
  afterEach(async () => void (await env.sql('DELETE FROM alert_rules')));
  afterAll(async () => {
    await env.destroy();
    await Promise.all([receiver.stop(), mails.stop()]);
  });

  const rule = async (name: string, channels: string[]): Promise<string> => {
    const condition = { kind: 'client_offline', minutes: 1, group: name };
    return ((await env.post('/api/alerts/rules', { name, condition, channels }).expect(201)).body as { id: string }).id;
  };
  /** So many machines of the group, all gone for a while in the same moment. */
  const gone = async (group: string, many: number): Promise<string[]> => {
    const rows = await env.sql<{ id: string }>(
      `INSERT INTO clients (id, name, groups, offline_since, last_seen_at)
       SELECT uuid_by_time(), $1 || '-' || ($2 + n), ARRAY[$1], now() - interval '5 minutes', now() - interval '5 minutes' FROM generate_series(1, $3) n RETURNING id`,
      [group, count, many],
    );
    count += many;
    return rows.map(({ id }) => id);
  };
  const fired = async (ruleId: string, many: number): Promise<void> =>
    eventually(async () => expect(await env.sql('SELECT FROM alerts WHERE rule_id = $1', [ruleId])).toHaveLength(many));
  const resolved = async (ruleId: string, many: number): Promise<void> =>
    eventually(async () => expect(await env.sql('SELECT FROM alerts WHERE rule_id = $1 AND resolved_at IS NOT NULL', [ruleId])).toHaveLength(many));
  const back = (ids: string[]): Promise<unknown> => env.sql(`UPDATE clients SET status = 'online' WHERE id = ANY($1)`, [ids]);
  /** The time of gathering is over. */
  const goesOn = (): Promise<unknown> => env.sql(
    `UPDATE alert_deliveries SET gathers_until = gathers_until - $1 * interval '1 ms', due_at = due_at - $1 * interval '1 ms' WHERE state = 'pending' AND attempts = 0`, [GATHER_MS],
  );
  const countOf = ({ digest }: AlertMessage): number => digest?.count ?? 1;
  const deliveries = async (channelId: string): Promise<AlertDelivery[]> =>
    ((await env.get(`/api/alerts/deliveries?limit=200&channelId=${channelId}`).expect(200)).body as { items: AlertDelivery[] }).items;
  /** Ids of all alerts of a delivery, page by page. */
  const toldBy = async (deliveryId: string): Promise<string[]> => {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await env.get(`/api/alerts?limit=200&deliveryId=${deliveryId}${cursor && `&cursor=${cursor}`}`).expect(200);
      const page = body as { items: Alert[]; nextCursor: string | null };
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    return ids;
  };

  it('come as a few messages that together tell of every one, once as they fire and once as they are over', async () => {
    const first = await gone('mall', 200);
    const id = await rule('mall', [hook, mail]);
    await fired(id, 200);
    await eventually(() => expect([receiver.messages.map(countOf), mails.mails.length]).toEqual([[200], 1]));
    const [message] = receiver.messages;
    expect(message).toMatchObject({ id: receiver.received[0]?.id, kind: 'client_offline', state: 'firing', rule: { id, name: 'mall' }, subject: null, detail: {} });
    expect(message?.digest?.alerts).toHaveLength(20);
    expect(message?.digest?.alerts[0]).toMatchObject({ subject: { type: 'client' }, detail: { minutes: 1 }, at: expect.stringMatching(/Z$/) as string });
    expect(mails.mails[0]?.text).toContain('Subject: [Gwanje] Alert: mall (200 times)');
    expect(mails.mails[0]?.text.match(/^- mall-\d+, /gm)).toHaveLength(20);
    expect(mails.mails[0]?.text).toContain('and 180 more.');

    // What fires meanwhile, at whatever look, is gathered.
    const second = await gone('mall', 150);
    await fired(id, 350);
    const third = await gone('mall', 150);
    await fired(id, 500);
    expect((await deliveries(hook)).filter(({ state }) => state === 'pending')).toMatchObject([{ news: 'firing', count: 300, attempts: 0 }]);
    await goesOn();
    await eventually(() => expect([receiver.messages.map(countOf), mails.mails.length]).toEqual([[200, 300], 2]));
    for (const channel of [hook, mail]) {
      const told = (await Promise.all((await deliveries(channel)).map((delivery) => toldBy(delivery.id)))).flat();
      expect([told.length, new Set(told).size]).toEqual([500, 500]);
    }

    await back([...first, ...second, ...third]);
    await resolved(id, 500);
    await eventually(async () => {
      await goesOn();
      expect(receiver.messages.filter(({ state }) => state === 'resolved').reduce((sum, one) => sum + countOf(one), 0)).toBe(500);
    });
    expect(receiver.messages.length).toBeLessThanOrEqual(5);
  }, 60_000);

  it('are not added to what was tried before: every try of a delivery says the same', async () => {
    receiver.always = 500;
    await gone('plant', 2);
    const id = await rule('plant', [hook]);
    await eventually(() => expect(receiver.received.length).toBeGreaterThan(1));
    await gone('plant', 1);
    await fired(id, 3);
    receiver.always = undefined;
    const settled = async (): Promise<(string | number)[][]> =>
      (await deliveries(hook)).filter(({ alert }) => alert?.rule === 'plant').map(({ state, count: told }) => [state, told]);
    await eventually(async () => expect(await settled()).toEqual([['pending', 1], ['delivered', 2]]));
    await goesOn();
    await eventually(async () => expect(await settled()).toEqual([['delivered', 1], ['delivered', 2]]));
    const bodies = new Map<string, Set<string>>();
    for (const { id: delivery, body } of receiver.received) bodies.set(delivery, (bodies.get(delivery) ?? new Set()).add(body));
    expect([...bodies.values()].map((said) => said.size)).toEqual([1, 1]);
    // One alone has the shape that it always had.
    expect(receiver.messages.at(-1)).toMatchObject({ state: 'firing', subject: { type: 'client', name: expect.stringMatching(/^plant-/) as string } });
    expect(receiver.messages.at(-1)).not.toHaveProperty('digest');
  }, 60_000);

  it('are told to be over after they are told to be there', async () => {
    await gone('depot', 1);
    const id = await rule('depot', [hook]);
    await eventually(() => expect(receiver.messages).toHaveLength(1));
    const late = await gone('depot', 2);
    await fired(id, 3);
    await back(late);
    await resolved(id, 2);
    expect((await deliveries(hook)).filter(({ state }) => state === 'pending').map(({ news, count: told }) => [news, told])).toEqual([['resolved', 2], ['firing', 2]]);
    // Also when the start is hard to tell.
    receiver.answers.push(500, 500);
    await goesOn();
    await eventually(() =>
      expect(receiver.messages.map((message) => [message.state, countOf(message)])).toEqual([['firing', 1], ['firing', 2], ['firing', 2], ['firing', 2], ['resolved', 2]]),
    );
  }, 60_000);
});

describe('the update to deliveries of many', () => {
  it('keeps what was told, what waits, and that nothing is told twice', async () => {
    const url = await createDatabase();
    const database = async (migrations: typeof MIGRATIONS): Promise<DataSource> => new DataSource({ type: 'postgres', url, migrations }).initialize();
    const before = await database(MIGRATIONS.slice(0, MIGRATIONS.findIndex(({ name }) => name.startsWith('AlertDigests'))));
    await before.runMigrations({ transaction: 'each' });
    await before.query(`
      INSERT INTO alert_rules (id, name, enabled, condition, channels) VALUES (uuid_by_time(), 'r', true, '{}', '{}');
      INSERT INTO alert_channels (id, name, kind, addresses) VALUES (uuid_by_time(), 'h', 'email', '{a@example.com}');
      INSERT INTO alerts (rule_id, rule_name, kind, subject_type, subject_id, subject_name, detail) SELECT id, 'r', 'backlog', 'rule', id, 'r', '{}' FROM alert_rules;
      INSERT INTO alert_deliveries (alert_id, channel_id, news, state, attempts_allowed)
      SELECT a.id, h.id, n.news, n.state, 8 FROM alerts a, alert_channels h, (VALUES ('firing', 'delivered'), ('resolved', 'pending')) n (news, state);
      INSERT INTO alert_deliveries (channel_id, news, attempts_allowed) SELECT id, 'test', 8 FROM alert_channels;
    `);
    await before.destroy();
    const after = await database(MIGRATIONS);
    await after.runMigrations({ transaction: 'each' });
    const rows = await after.query<object[]>(
      `SELECT d.news, d.state, d.rule_id = r.id AS "isOfRule", i.alert_id = a.id AS "tellsOfAlert", d.gathers_until = d.created_at AS "gathersNoMore"
       FROM alert_rules r, alerts a, alert_deliveries d LEFT JOIN alert_delivery_items i ON i.delivery_id = d.id WHERE d.news <> 'test' ORDER BY d.news`,
    );
    expect(rows).toEqual([
      { news: 'firing', state: 'delivered', isOfRule: true, tellsOfAlert: true, gathersNoMore: true },
      { news: 'resolved', state: 'pending', isOfRule: true, tellsOfAlert: true, gathersNoMore: true },
    ]);
    const again = 'INSERT INTO alert_delivery_items SELECT alert_id, channel_id, news, delivery_id FROM alert_delivery_items';
    await expect(after.query(again)).rejects.toThrow(/duplicate key/);
    await after.destroy();
    await dropDatabase(url);
  });
});
