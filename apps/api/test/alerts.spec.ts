import type { Alert, AlertDelivery, AlertMessage } from '@gwanje/contracts';
import Redis from 'ioredis';
import request from 'supertest';
import type { LoggerService } from '@nestjs/common';
import { eventually, TestEnvironment } from './support/environment';
import { HookReceiver, isSigned } from './support/hook-receiver';
import { MailServer } from './support/mail-server';

interface Channel {
  id: string;
  secret: string;
}

/** Keeps every line that the server would have logged. */
class Kept implements LoggerService {
  readonly lines: string[] = [];
  log = (...words: unknown[]): void => void this.lines.push(JSON.stringify(words));
  warn = this.log;
  error = this.log;
}

describe('alerts', () => {
  let env: TestEnvironment;
  let receiver: HookReceiver;
  let mails: MailServer;
  const log = new Kept();
  let channel: Channel;
  let count = 0;

  beforeAll(async () => {
    [receiver, mails] = [await HookReceiver.start(), await MailServer.start()];
    env = await TestEnvironment.create(
      {
        ALERT_WEBHOOK_ALLOW: '127.0.0.1/32', ALERT_RETRY_MS: '50', SMTP_URL: mails.url, MAIL_FROM: 'Gwanje <gwanje@example.com>',
        PUBLIC_URL: 'https://console.example.com/', ALERT_GATHER_MS: '0',
      },
      undefined,
      log,
    );
    channel = await webhook();
  });
  afterEach(async () => {
    // Each test has rules of its own.
    await env.sql('DELETE FROM alert_rules');
    receiver.received.length = 0;
    receiver.always = undefined;
  });
  afterAll(async () => {
    await env.destroy();
    await Promise.all([receiver.stop(), mails.stop()]);
  });

  const named = (what: string): string => `${what} ${++count}`;
  const webhook = async (url = `${receiver.url}/hook`): Promise<Channel> =>
    (await env.post('/api/alerts/channels', { name: named('hook'), kind: 'webhook', url }).expect(201)).body as Channel;
  const rule = async (condition: object, channels = [channel.id]): Promise<{ id: string; name: string }> =>
    (await env.post('/api/alerts/rules', { name: named('rule'), condition, channels }).expect(201)).body as { id: string; name: string };
  const patch = (path: string, body: object): request.Test => request(env.url).patch(path).set('Authorization', `Bearer ${env.token}`).send(body);
  const remove = (path: string): request.Test => request(env.url).delete(path).set('Authorization', `Bearer ${env.token}`);
  const alerts = async (ruleId: string, token = env.token): Promise<Alert[]> =>
    ((await request(env.url).get(`/api/alerts?ruleId=${ruleId}`).set('Authorization', `Bearer ${token}`).expect(200)).body as { items: Alert[] }).items;
  const deliveries = async (query = ''): Promise<AlertDelivery[]> =>
    ((await env.get(`/api/alerts/deliveries?${query}`).expect(200)).body as { items: AlertDelivery[] }).items;
  const heard = (ruleId: string): [string, string | undefined][] =>
    receiver.messages
      .filter((message) => message.rule.id === ruleId)
      .flatMap(({ state, subject, digest }): [string, string | undefined][] => (digest?.alerts ?? [{ subject }]).map((one) => [state, one.subject?.name]));
  /** Two looks at the rule, both begun after this was called: nothing more comes of what was there. */
  const looked = async (ruleId: string): Promise<void> => {
    for (let times = 0; times < 2; times++) {
      const [before] = await env.sql<{ at: string }>('SELECT judged_at::text AS at FROM alert_rules WHERE id = $1', [ruleId]);
      await eventually(async () => {
        const [now] = await env.sql<{ at: string }>('SELECT judged_at::text AS at FROM alert_rules WHERE id = $1', [ruleId]);
        expect(now?.at).not.toBe(before?.at);
      });
    }
  };
  /** As if the client had gone so many minutes ago, and the gateways were there all the time. */
  const goneFor = async (minutes: number, ids: string[]): Promise<void> => {
    await env.sql(`UPDATE gateways SET started_at = now() - interval '1 day'`);
    await env.sql('UPDATE clients SET offline_since = now() - make_interval(mins => $1) WHERE id = ANY($2)', [minutes, ids]);
  };
  const end = async (clientId: string, key: string, id: string, success: boolean): Promise<void> => {
    const { status } = await fetch(`${env.url}/api/commands/${id}/result`, {
      method: 'POST', headers: { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(success ? { success, data: 1 } : { success, error: `no paper at ${clientId}` }),
    });
    expect(status).toBe(200);
  };

  it('tells once of a client that is offline for so long, and once that it is back', async () => {
    const [shop, other, young] = [await env.client(named('shop').replace(' ', '-'), { groups: ['shops'] }), await env.client('other'), await env.client('young', { groups: ['shops'] })];
    const never = await env.client('never-came', { groups: ['shops'] });
    for (const one of [shop, other, young]) (await env.connect(one)).disconnect();
    await eventually(async () => {
      const rows = await env.sql<{ id: string }>('SELECT id FROM clients WHERE offline_since IS NOT NULL');
      expect(rows.map(({ id }) => id).sort()).toEqual([shop.id, other.id, young.id].sort());
    });
    await goneFor(11, [shop.id, other.id]);
    await goneFor(9, [young.id]);
    const { id, name } = await rule({ kind: 'client_offline', minutes: 10, group: 'shops' });
    await eventually(() => expect(heard(id)).toHaveLength(1));
    expect(receiver.messages.at(-1)).toMatchObject({
      kind: 'client_offline', state: 'firing', rule: { id, name }, subject: { type: 'client', id: shop.id }, detail: { minutes: 10, offlineSince: expect.stringMatching(/Z$/) as string },
    });
    await looked(id);
    const agent = await env.connect(shop);
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing', 'resolved']));
    expect(new Set(receiver.messages.map((message) => message.id)).size).toBe(1);
    expect(await alerts(id)).toMatchObject([{ subject: { id: shop.id }, resolvedAt: expect.any(String) as string }]);
    agent.disconnect();
    await looked(id);
    expect(heard(id)).toHaveLength(2);
    expect(never.id).toBeTruthy();
  });

  it('takes no outage of the server for one of its clients', async () => {
    const client = await env.client('patient');
    (await env.connect(client)).disconnect();
    await eventually(async () => expect(await env.sql('SELECT FROM clients WHERE id = $1 AND offline_since IS NOT NULL', [client.id])).toHaveLength(1));
    await goneFor(60, [client.id]);
    await env.sql('UPDATE gateways SET started_at = now()');
    const { id } = await rule({ kind: 'client_offline', minutes: 10, clientId: 'patient' });
    await looked(id);
    expect(await alerts(id)).toEqual([]);
    await goneFor(60, [client.id]);
    await eventually(async () => expect(await alerts(id)).toHaveLength(1));
    await remove(`/api/clients/${client.id}`).expect(204);
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing', 'resolved']));
  });

  it('tells of each failed command once, whatever is tried again, and of none from before', async () => {
    const client = await env.client('printer');
    const agent = await env.connect(client);
    const fail = async (settings: object = {}): Promise<string> => {
      const id = await env.command(client.id, settings);
      await eventually(() => expect(agent.received.filter((frame) => frame.id === id).length).toBeGreaterThan(0));
      await end(client.id, client.clientKey, id, false);
      return id;
    };
    await fail();
    const { id } = await rule({ kind: 'command_failed', clientId: client.id });
    const noops = await rule({ kind: 'command_failed', action: 'screenshot' });
    const failed = [await fail(), await fail(), await fail()];
    // Tried again by itself, it has not failed yet.
    const persistent = await fail({ maxAttempts: 2 });
    await eventually(() => expect(agent.received.filter((frame) => frame.id === persistent)).toHaveLength(2));
    await looked(id);
    expect(heard(id)).toHaveLength(3);
    await end(client.id, client.clientKey, persistent, false);
    await eventually(() => expect(heard(id)).toHaveLength(4));
    await looked(id);
    const told = receiver.messages.filter((message) => message.rule.id === id).flatMap((message): Pick<AlertMessage, 'subject' | 'detail'>[] => message.digest?.alerts ?? [message]);
    expect(told.map(({ subject }) => subject?.id).sort()).toEqual([...failed, persistent].sort());
    expect(heard(id).every(([state]) => state === 'firing')).toBe(true);
    expect(told[0]).toMatchObject({ detail: { action: 'noop', client: 'printer', outcome: 'failed', error: `no paper at ${client.id}` } });
    expect(heard(noops.id)).toEqual([]);
    expect((await alerts(id)).every(({ resolvedAt }) => resolvedAt !== null)).toBe(true);
    // Another attempt that fails is another failure.
    await env.post(`/api/commands/${failed[0]}/retry`).expect(200);
    await eventually(() => expect(agent.received.filter((frame) => frame.id === failed[0])).toHaveLength(2));
    await end(client.id, client.clientKey, failed[0]!, false);
    await eventually(() => expect(heard(id)).toHaveLength(5));
  });

  it('takes nothing for news that had failed before the rule was there, whatever transaction was open then', async () => {
    const client = await env.client('forgiven');
    const agent = await env.connect(client);
    const { Client } = await import('pg');
    const open = new Client({ connectionString: env.databaseUrl });
    await open.connect();
    await open.query('BEGIN');
    await open.query('SELECT pg_current_xact_id()');
    const before = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    await end(client.id, client.clientKey, before, false);
    const failures = await rule({ kind: 'command_failed', clientId: client.id });
    const rate = await rule({ kind: 'error_rate', clientId: client.id, percent: 50, minutes: 5, atLeast: 1 });
    await open.query('COMMIT');
    await open.end();
    await looked(failures.id);
    await looked(rate.id);
    expect([...(await alerts(failures.id)), ...(await alerts(rate.id))]).toEqual([]);
    const after = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(2));
    await end(client.id, client.clientKey, after, false);
    await eventually(async () => expect((await alerts(failures.id)).map(({ subject }) => subject.id)).toEqual([after]));
    await eventually(async () => expect(await alerts(rate.id)).toMatchObject([{ detail: { ended: 1, failed: 1 } }]));
  });

  it('misses no failure of a transaction that commits late', async () => {
    const client = await env.client('late');
    const { id } = await rule({ kind: 'command_failed', clientId: client.id });
    const { Client } = await import('pg');
    const slow = new Client({ connectionString: env.databaseUrl });
    await slow.connect();
    const agent = await env.connect(client);
    const command = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(1));
    // It has its place in the order of transactions before the other, and ends after it.
    await slow.query('BEGIN');
    await slow.query('SELECT pg_current_xact_id()');
    await slow.query(`INSERT INTO command_logs (command_id, revision, event_type, attempt) VALUES ($1, 1000, 'timed_out', 1)`, [command]);
    const other = await env.command(client.id);
    await eventually(() => expect(agent.received).toHaveLength(2));
    await end(client.id, client.clientKey, other, false);
    await looked(id);
    await slow.query('COMMIT');
    await slow.end();
    await eventually(() => expect(heard(id)).toHaveLength(2));
    await looked(id);
    expect((await alerts(id)).map(({ subject }) => subject.id).sort()).toEqual([command, other].sort());
  });

  it('tells of a backlog, and when it is gone', async () => {
    const client = await env.client('slow', { labels: { floor: '2' } });
    const { id } = await rule({ kind: 'backlog', over: 2, labels: { floor: '2' } });
    const commands = [await env.command(client.id), await env.command(client.id)];
    await looked(id);
    expect(await alerts(id)).toEqual([]);
    commands.push(await env.command(client.id));
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing']));
    for (const command of commands) await env.post(`/api/commands/${command}/cancel`).expect(200);
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing', 'resolved']));
  });

  it('tells when too much of what ends fails, and when that is over', async () => {
    const client = await env.client('fickle', { concurrency: 20 });
    const agent = await env.connect(client);
    const { id } = await rule({ kind: 'error_rate', percent: 50, minutes: 10, atLeast: 4, clientId: client.id });
    const ends = async (...outcomes: boolean[]): Promise<void> => {
      for (const success of outcomes) {
        const command = await env.command(client.id);
        await eventually(() => expect(agent.received.map((frame) => frame.id)).toContain(command));
        await end(client.id, client.clientKey, command, success);
      }
    };
    await ends(false, false, true);
    await looked(id);
    expect(await alerts(id)).toEqual([]);
    await ends(false);
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing']));
    expect(receiver.messages.at(-1)?.detail).toEqual({ ended: 4, failed: 3, percent: 50, minutes: 10 });
    await ends(true, true);
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing', 'resolved']));
  });

  it('signs every try, under one id, and tries again after an error', async () => {
    receiver.answers.push(500, 302, 503);
    const { body } = await env.post(`/api/alerts/channels/${channel.id}/test`).expect(202);
    const { deliveryId } = body as { deliveryId: string };
    await eventually(async () => expect((await deliveries(`channelId=${channel.id}`)).find(({ id }) => id === deliveryId)?.state).toBe('delivered'));
    const mine = receiver.received.filter(({ id }) => id === deliveryId);
    expect(mine).toHaveLength(4);
    expect(mine.every((one) => isSigned(one, channel.secret))).toBe(true);
    expect(new Set(mine.map(({ body: text }) => text)).size).toBe(1);
    expect(mine[0]?.message).toMatchObject({ kind: 'test', state: 'test' });
    expect((await deliveries()).find(({ id }) => id === deliveryId)).toMatchObject({ attempts: 4, lastError: null, dueAt: null, news: 'test', alert: null });
  });

  it('gives up after eight tries, and begins again when somebody asks for it', async () => {
    receiver.always = 500;
    const { body } = await env.post(`/api/alerts/channels/${channel.id}/test`).expect(202);
    const { deliveryId } = body as { deliveryId: string };
    const mine = async (): Promise<AlertDelivery | undefined> => (await deliveries(`channelId=${channel.id}`)).find(({ id }) => id === deliveryId);
    await env.post(`/api/alerts/deliveries/${deliveryId}/retry`).expect(409);
    await eventually(async () => expect(await mine()).toMatchObject({ state: 'failed', attempts: 8, lastError: 'Answered 500' }), 60_000);
    expect(receiver.received.filter(({ id }) => id === deliveryId)).toHaveLength(8);
    receiver.always = undefined;
    await env.post(`/api/alerts/deliveries/${deliveryId}/retry`).expect(204);
    await eventually(async () => expect(await mine()).toMatchObject({ state: 'delivered', attempts: 9 }));
    await env.post('/api/alerts/deliveries/unknown/retry').expect(404);
  }, 90_000);

  it('loses no delivery to FLUSHALL', async () => {
    receiver.always = 500;
    const client = await env.client('flushed');
    const { id } = await rule({ kind: 'backlog', over: 0, clientId: client.id });
    const redis = new Redis(env.redisUrl);
    await env.command(client.id);
    for (let times = 0; times < 3; times++) {
      const before = receiver.received.length;
      await eventually(() => expect(receiver.received.length).toBeGreaterThan(before));
      await redis.flushall();
    }
    await redis.quit();
    receiver.always = undefined;
    await eventually(async () => {
      const mine = (await deliveries()).filter(({ alert }) => alert !== null);
      expect(mine[0]).toMatchObject({ state: 'delivered', news: 'firing' });
    }, 20_000);
    expect(new Set(receiver.received.filter(({ message }) => message.rule.id === id).map((one) => one.id)).size).toBe(1);
  }, 60_000);

  it('sends mails that say what it is about, and where to look', async () => {
    const { body } = await env.post('/api/alerts/channels', { name: 'on call', kind: 'email', addresses: ['a@example.com', 'b@example.com'] }).expect(201);
    expect(body).not.toHaveProperty('secret');
    const client = await env.client('관제-1');
    const { name } = await rule({ kind: 'client_offline', minutes: 1, clientId: client.id }, [(body as Channel).id]);
    (await env.connect(client)).disconnect();
    await eventually(async () => expect(await env.sql('SELECT FROM clients WHERE id = $1 AND offline_since IS NOT NULL', [client.id])).toHaveLength(1));
    mails.refuses = true;
    await goneFor(5, [client.id]);
    await eventually(async () => expect((await deliveries(`channelId=${(body as Channel).id}`))[0]?.lastError).toMatch(/mail server did not take it/));
    mails.refuses = false;
    await eventually(() => expect(mails.mails).toHaveLength(1));
    const { to, text } = mails.mails[0]!;
    expect(to).toEqual(['a@example.com', 'b@example.com']);
    const [head = '', ...rest] = text.split('\r\n\r\n');
    expect(head).toMatch(/^From: Gwanje <gwanje@example.com>$/m);
    expect(head).toMatch(/^Auto-Submitted: auto-generated$/m);
    const subject = decodeHeader(/^Subject: ((?:.*)(?:\r\n[ \t].*)*)/m.exec(head)?.[1] ?? '');
    expect(subject).toBe(`[Gwanje] Alert: ${name} (관제-1)`);
    const content = /base64/.test(head) ? Buffer.from(rest.join(''), 'base64').toString() : decodeQuoted(rest.join('\n'));
    expect(content).toContain(`Rule: ${name}`);
    expect(content).toContain('관제-1');
    expect(content).toContain(`https://console.example.com/clients/${client.id}`);
  });

  it('takes no name that would end a line of a mail', async () => {
    for (const name of ['x\r\nBcc: all@example.com', 'x\ny', 'a\u2028b', '<b>']) {
      const { body } = await env.post('/api/alerts/rules', { name, condition: { kind: 'command_failed' }, channels: [] }).expect(400);
      expect(body).toMatchObject({ errors: [{ path: 'name' }] });
      await env.post('/api/alerts/channels', { name, kind: 'email', addresses: ['a@example.com'] }).expect(400);
    }
    const { body } = await env.post('/api/alerts/channels', { name: 'x', kind: 'email', addresses: ['a@example.com\r\nBcc: b@example.com'] }).expect(400);
    expect(body).toMatchObject({ errors: [{ path: 'addresses' }] });
  });

  it.each([
    [{ kind: 'unknown' }, 'condition.kind'],
    [{}, 'condition.kind'],
    [{ kind: 'client_offline' }, 'condition.minutes'],
    [{ kind: 'client_offline', minutes: 0 }, 'condition.minutes'],
    [{ kind: 'client_offline', minutes: 5, over: 3 }, 'condition.over'],
    [{ kind: 'backlog', over: -1 }, 'condition.over'],
    [{ kind: 'error_rate', percent: 101, minutes: 5, atLeast: 1 }, 'condition.percent'],
    [{ kind: 'command_failed', clientId: 'no-such-client' }, 'condition.clientId'],
    [{ kind: 'command_failed', labels: { floor: 2 } }, 'condition.labels.floor'],
    [{ kind: 'command_failed', labels: 'x' }, 'condition.labels'],
    [[], 'condition'],
    ['x', 'condition'],
  ])('says what is wrong with the condition %j', async (condition, path) => {
    const { body } = await env.post('/api/alerts/rules', { name: named('wrong'), condition, channels: [] }).expect(400);
    expect((body as { errors: { path: string }[] }).errors.map((fault) => fault.path)).toContain(path);
  });

  it('says what else is wrong', async () => {
    const condition = { kind: 'command_failed' };
    const unknown = await env.post('/api/alerts/rules', { name: named('wrong'), condition, channels: ['01900000-0000-7000-8000-000000000000'] }).expect(400);
    expect(unknown.body).toMatchObject({ errors: [{ path: 'channels[0]' }] });
    const { name } = await rule(condition);
    await env.post('/api/alerts/rules', { name, condition, channels: [] }).expect(409);
    for (const url of ['http://10.0.0.1/', 'https://169.254.169.254/latest', 'https://[::1]/', 'ftp://x', 'https://u:p@example.com/', undefined]) {
      const { body } = await env.post('/api/alerts/channels', { name: named('wrong'), kind: 'webhook', url }).expect(400);
      expect((body as { errors: object[] }).errors[0]).toMatchObject({ path: 'url' });
    }
    await env.post('/api/alerts/channels', { name: named('wrong'), kind: 'email', addresses: ['a@example.com'], url: 'https://example.com' }).expect(400);
    expect((await remove(`/api/alerts/channels/${channel.id}`).expect(409)).body).toMatchObject({ code: 'channel_in_use' });
    await remove('/api/alerts/rules/unknown').expect(404);
    await patch('/api/alerts/channels/unknown', {}).expect(404);
  });

  it('takes changes: a rule that is changed or removed has nothing open, and whoever was told hears that', async () => {
    const client = await env.client('changing');
    await env.command(client.id);
    const { id } = await rule({ kind: 'backlog', over: 0, clientId: client.id });
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing']));
    expect((await patch(`/api/alerts/rules/${id}`, { enabled: false }).expect(200)).body).toMatchObject({ enabled: false });
    await eventually(() => expect(heard(id).map(([state]) => state)).toEqual(['firing', 'resolved']));
    await patch(`/api/alerts/rules/${id}`, { enabled: true, name: named('renamed') }).expect(200);
    await eventually(() => expect(heard(id)).toHaveLength(3));
    await remove(`/api/alerts/rules/${id}`).expect(204);
    await eventually(() => expect(receiver.messages.map(({ state }) => state)).toEqual(['firing', 'resolved', 'firing', 'resolved']));
    const { body } = await env.get('/api/alerts?state=resolved').expect(200);
    expect((body as { items: Alert[] }).items[0]?.rule.id).toBeNull();
  });

  it('shows everybody what is within their reach, and rules only to who sees all', async () => {
    const [near, far] = [await env.client('near', { groups: ['mine'] }), await env.client('far')];
    const { id } = await rule({ kind: 'client_offline', minutes: 1 });
    for (const one of [near, far]) (await env.connect(one)).disconnect();
    await eventually(async () => expect(await env.sql('SELECT FROM clients WHERE id = ANY($1) AND offline_since IS NOT NULL', [[near.id, far.id]])).toHaveLength(2));
    await goneFor(5, [near.id, far.id]);
    await eventually(async () => expect((await alerts(id)).map(({ subject }) => subject.name)).toEqual(expect.arrayContaining(['near', 'far'])));
    const PASSWORD = 'violet kettle drum';
    await env.post('/api/roles', { name: 'watcher', permissions: ['clients.read', 'alerts.read'] }).expect(201);
    const { body } = await env.post('/api/users', { email: 'confined@example.com', name: 'c', password: PASSWORD, roles: ['watcher'], scope: 'granted' }).expect(201);
    await request(env.url).put('/api/groups/mine/permissions').set('Authorization', `Bearer ${env.token}`)
      .send({ items: [{ user: (body as { id: string }).id, actions: ['noop'] }] }).expect(200);
    const logIn = await request(env.url).post('/api/auth/login').send({ email: 'confined@example.com', password: PASSWORD }).expect(200);
    const { accessToken } = logIn.body as { accessToken: string };
    expect((await alerts(id, accessToken)).map(({ subject }) => subject.name)).toEqual(['near']);

    const failures = await rule({ kind: 'command_failed' });
    const agent = await env.connect(near);
    for (const action of ['noop', 'screenshot']) {
      const command = await env.command(near.id, { action });
      await env.reaches(command, 'dispatched');
      await end(near.id, near.clientKey, command, false);
    }
    agent.disconnect();
    await eventually(async () => expect((await alerts(failures.id)).map(({ subject }) => subject.name).sort()).toEqual(['noop @ near', 'screenshot @ near']));
    expect((await alerts(failures.id, accessToken)).map(({ subject }) => subject.name)).toEqual(['noop @ near']);
    for (const path of ['rules', 'deliveries', 'channels']) {
      await request(env.url).get(`/api/alerts/${path}`).set('Authorization', `Bearer ${accessToken}`).expect(403);
    }
  });

  it('records every change, and keeps secrets out of answers, records, the log and the tables', async () => {
    const mine = await webhook(`${receiver.url}/secret-path-of-mine`);
    const { body: rotated } = await env.post(`/api/alerts/channels/${mine.id}/rotate-secret`).expect(200);
    await env.post(`/api/alerts/channels/${mine.id}/test`).expect(202);
    await eventually(() => expect(receiver.received.some(({ path }) => path === '/secret-path-of-mine')).toBe(true));
    const { secret } = rotated as Channel;
    expect(secret).not.toBe(mine.secret);
    expect(isSigned(receiver.received.find(({ path }) => path === '/secret-path-of-mine')!, secret)).toBe(true);
    const { id } = await rule({ kind: 'command_failed' }, []);
    await patch(`/api/alerts/channels/${mine.id}`, { url: `${receiver.url}/secret-path-of-mine/2` }).expect(200);
    await remove(`/api/alerts/rules/${id}`).expect(204);
    const listed = JSON.stringify((await env.get('/api/alerts/channels').expect(200)).body);
    await remove(`/api/alerts/channels/${mine.id}`).expect(204);
    const { body } = await env.get('/api/audit?action=alerts.*&limit=200').expect(200);
    const { items } = body as { items: { action: string; target: { id: string } }[] };
    expect(items.filter(({ target }) => target.id === mine.id).map(({ action }) => action.slice(7)).reverse()).toEqual(
      ['create_channel', 'rotate_secret', 'test_channel', 'update_channel', 'delete_channel'],
    );
    expect(items.filter(({ target }) => target.id === id).map(({ action }) => action.slice(7)).reverse()).toEqual(['create_rule', 'delete_rule']);
    const sealed = await env.sql<{ text: string }>(`SELECT encode(secret, 'escape') AS text FROM alert_channels WHERE secret IS NOT NULL`);
    const records = JSON.stringify(await env.sql('SELECT * FROM audit_log'));
    for (const one of [mine.secret, secret, channel.secret]) {
      for (const where of [listed, records, log.lines.join('\n'), JSON.stringify(await deliveries()), JSON.stringify(sealed)]) expect(where).not.toContain(one);
    }
    for (const where of [records, log.lines.join('\n')]) expect(where).not.toContain('secret-path-of-mine');
  });
});

describe('two servers and no mail server', () => {
  it('fire once for both, and say that there is no mail', async () => {
    const receiver = await HookReceiver.start();
    const settings = { ALERT_WEBHOOK_ALLOW: '127.0.0.1/32', JWT_SECRET: 'one secret of both servers, side by side' };
    const a = await TestEnvironment.create(settings);
    const b = await TestEnvironment.create({ ...settings, DATABASE_URL: a.databaseUrl });
    const { body: problem } = await a.post('/api/alerts/channels', { name: 'mail', kind: 'email', addresses: ['x@example.com'] }).expect(409);
    expect(problem).toMatchObject({ code: 'no_mail_server' });
    const { body } = await a.post('/api/alerts/channels', { name: 'hook', kind: 'webhook', url: receiver.url }).expect(201);
    for (let rule = 0; rule < 20; rule++) {
      await b.post('/api/alerts/rules', { name: `rule ${rule}`, condition: { kind: 'backlog', over: 0 }, channels: [(body as Channel).id] }).expect(201);
    }
    const client = await a.client('waiting');
    const command = await a.command(client.id);
    await eventually(() => expect(receiver.received).toHaveLength(20));
    await a.post(`/api/commands/${command}/cancel`).expect(200);
    await eventually(() => expect(receiver.received).toHaveLength(40));
    const [looks] = await a.sql<{ at: string }>('SELECT now()::text AS at');
    await eventually(async () => expect(await a.sql('SELECT FROM alert_rules WHERE judged_at < $1', [looks?.at])).toEqual([]));
    expect(receiver.messages.filter(({ state }) => state === 'firing')).toHaveLength(20);
    expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(40);
    expect(receiver.received).toHaveLength(40);
    await b.app.close();
    await a.destroy();
    await receiver.stop();
  }, 60_000);
});

/** RFC 2047, as far as it is used here. */
function decodeHeader(text: string): string {
  const joined = text.replace(/\r\n[ \t]/g, ' ').replace(/\?=\s+=\?/g, '?==?');
  return joined.replace(/=\?utf-8\?([BQ])\?(.*?)\?=/gi, (_, kind: string, word: string) =>
    kind.toUpperCase() === 'B' ? Buffer.from(word, 'base64').toString() : decodeQuoted(word.replaceAll('_', ' ')),
  );
}

function decodeQuoted(text: string): string {
  const bytes = text.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
