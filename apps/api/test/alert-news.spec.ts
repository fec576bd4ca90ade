import type { Alert, AlertDelivery } from '@gwanje/contracts';
import request from 'supertest';
import { eventually, TestEnvironment } from './support/environment';
import { EventReader } from './support/event-reader';
import { HookReceiver } from './support/hook-receiver';

const PASSWORD = 'violet kettle drum';

describe('alerts on the stream of a console', () => {
  let env: TestEnvironment;
  let receiver: HookReceiver;
  let channel: string;
  const readers: EventReader[] = [];

  beforeAll(async () => {
    receiver = await HookReceiver.start();
    env = await TestEnvironment.create({ ALERT_WEBHOOK_ALLOW: '127.0.0.1/32', ALERT_RETRY_MS: '50' });
    const { body } = await env.post('/api/alerts/channels', { name: 'hook', kind: 'webhook', url: receiver.url }).expect(201);
    channel = (body as { id: string }).id;
    await env.post('/api/roles', { name: 'watcher', permissions: ['clients.read', 'alerts.read'] }).expect(201);
  });
  afterEach(() => readers.splice(0).forEach((reader) => reader.close()));
  afterAll(async () => {
    await env.destroy();
    await receiver.stop();
  });

  /** A reader who has been told a point: from here on it hears what happens. */
  const open = async (token = env.token, lastEventId?: string): Promise<EventReader> => {
    const reader = await EventReader.open(`${env.url}/api/events?topics=alerts,deliveries`, token, lastEventId);
    readers.push(reader);
    await eventually(() => expect(reader.of('point').length).toBeGreaterThan(0));
    return reader;
  };
  const person = async (name: string, role: string, scope = 'all'): Promise<{ id: string; token: string }> => {
    const email = `${name}@example.com`;
    const { body } = await env.post('/api/users', { email, name, password: PASSWORD, roles: [role], scope }).expect(201);
    const login = await request(env.url).post('/api/auth/login').send({ email, password: PASSWORD }).expect(200);
    return { id: (body as { id: string }).id, token: (login.body as { accessToken: string }).accessToken };
  };
  const rule = async (name: string, condition: object): Promise<string> =>
    ((await env.post('/api/alerts/rules', { name, condition, channels: [channel] }).expect(201)).body as { id: string }).id;
  const alertsOf = (reader: EventReader, ruleId: string): Alert[] => reader.of<Alert>('alert').filter(({ rule: { id } }) => id === ruleId);
  const deliveriesOf = (reader: EventReader, name: string): AlertDelivery[] =>
    reader.of<AlertDelivery>('delivery').filter(({ alert }) => alert?.rule === name);
  /** Two points more: whatever there was has been told. */
  const heardAll = async (reader: EventReader): Promise<void> => {
    const { length } = reader.of('point');
    await eventually(() => expect(reader.of('point').length).toBeGreaterThan(length + 1));
  };

  it('are told as they fire, are delivered and resolve, and what was missed is told later', async () => {
    const client = await env.client('waits');
    const reader = await open();
    const id = await rule('waits', { kind: 'backlog', over: 0, clientId: client.id });
    const command = await env.command(client.id);
    await eventually(() => expect(alertsOf(reader, id)).toMatchObject([{ kind: 'backlog', rule: { id, name: 'waits' }, resolvedAt: null }]));
    await eventually(() => expect(deliveriesOf(reader, 'waits').at(-1)).toMatchObject({ news: 'firing', state: 'delivered', channel: { name: 'hook' } }));
    const lastId = reader.lastId;
    reader.close();
    await env.post(`/api/commands/${command}/cancel`).expect(200);
    await eventually(async () => expect(await env.sql('SELECT FROM alerts WHERE rule_id = $1 AND resolved_at IS NOT NULL', [id])).toHaveLength(1));
    const back = await open(env.token, lastId);
    await eventually(() => expect(alertsOf(back, id).at(-1)).toMatchObject({ resolvedAt: expect.any(String) as string }));
    await eventually(() => expect(deliveriesOf(back, 'waits').at(-1)).toMatchObject({ news: 'resolved', state: 'delivered' }));
    const { body } = await env.get('/api/alerts/deliveries').expect(200);
    const { revision: _, ...told } = deliveriesOf(back, 'waits').at(-1) as AlertDelivery & { revision: number };
    expect(told).toEqual((body as { items: AlertDelivery[] }).items[0]);
  });

  it('are told of a rule that is switched off, of a test, and of what is tried again', async () => {
    const client = await env.client('switched');
    await env.command(client.id);
    const reader = await open();
    receiver.always = 500;
    const id = await rule('switched', { kind: 'backlog', over: 0, clientId: client.id });
    await eventually(() => expect(deliveriesOf(reader, 'switched').at(-1)).toMatchObject({ state: 'failed', lastError: 'Answered 500' }), 30_000);
    receiver.always = undefined;
    await env.post(`/api/alerts/deliveries/${deliveriesOf(reader, 'switched').at(-1)?.id}/retry`).expect(204);
    await eventually(() => expect(deliveriesOf(reader, 'switched').at(-1)).toMatchObject({ state: 'delivered', lastError: null }));
    await request(env.url).patch(`/api/alerts/rules/${id}`).set('Authorization', `Bearer ${env.token}`).send({ enabled: false }).expect(200);
    await eventually(() => expect(alertsOf(reader, id).at(-1)?.resolvedAt).toEqual(expect.any(String)));
    await env.post(`/api/alerts/channels/${channel}/test`).expect(202);
    await eventually(() => expect(reader.of<AlertDelivery>('delivery').at(-1)).toMatchObject({ news: 'test', state: 'delivered', alert: null }));
  }, 60_000);

  it('are told to each as far as their rights and their reach go, and to nobody whose right is taken', async () => {
    const [near, far] = [await env.client('near', { groups: ['mine'] }), await env.client('far')];
    const [all, none, confined] = [await person('all', 'watcher'), await person('none', 'viewer'), await person('confined', 'watcher', 'granted')];
    await request(env.url).put('/api/groups/mine/permissions').set('Authorization', `Bearer ${env.token}`)
      .send({ items: [{ user: confined.id, actions: ['noop'] }] }).expect(200);
    const [everything, nothing, part] = [await open(all.token), await open(none.token), await open(confined.token)];
    for (const one of [near, far]) (await env.connect(one)).disconnect();
    await eventually(async () => expect(await env.sql('SELECT FROM clients WHERE id = ANY($1) AND offline_since IS NOT NULL', [[near.id, far.id]])).toHaveLength(2));
    await env.sql(`UPDATE gateways SET started_at = now() - interval '1 day'`);
    await env.sql(`UPDATE clients SET offline_since = now() - interval '5 minutes' WHERE id = ANY($1)`, [[near.id, far.id]]);
    const id = await rule('gone', { kind: 'client_offline', minutes: 1 });
    const names = (reader: EventReader): string[] => alertsOf(reader, id).map(({ subject }) => subject.name);
    await eventually(() => expect(new Set(names(everything))).toEqual(new Set(['near', 'far'])));
    await eventually(() => expect(new Set(names(part))).toEqual(new Set(['near'])));
    await eventually(() => expect(deliveriesOf(everything, 'gone').at(-1)).toMatchObject({ state: 'delivered' }));
    await Promise.all([heardAll(nothing), heardAll(part)]);
    expect(new Set(names(part))).toEqual(new Set(['near']));
    expect([part.of('delivery'), nothing.of('alert'), nothing.of('delivery')]).toEqual([[], [], []]);

    const lastId = everything.lastId;
    await request(env.url).put(`/api/users/${all.id}/roles`).set('Authorization', `Bearer ${env.token}`).send({ roles: ['viewer'] }).expect(200);
    await eventually(() => expect(everything.closed).toBe(true));
    const told = everything.of('alert').length;
    const after = await open(all.token, lastId);
    await env.connect(near);
    await eventually(() => expect(alertsOf(part, id).at(-1)?.resolvedAt).toEqual(expect.any(String)));
    await heardAll(after);
    expect([everything.of('alert').length, after.of('alert'), after.of('delivery')]).toEqual([told, [], []]);
  });
});
