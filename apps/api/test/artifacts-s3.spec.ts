import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import request from 'supertest';
import { v7 as uuid } from 'uuid';
import { CommandRetention } from '../src/commands/command-retention';
import { loadConfig } from '../src/core/config/config';
import { Log } from '../src/core/logging/log';
import { download } from './support/download';
import { createDatabase, eventually, TestEnvironment } from './support/environment';
import { describeWith } from './support/programs';
import { RealAgent } from './support/real-agent';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { ServerProcess } from './support/server-process';
import { CREDENTIALS, Swift, SWIFT } from './support/swift';
import { TcpProxy } from './support/tcp-proxy';

const PREFIX = 'till/artifacts/';
const MIB = 1 << 20;
const DAY_MS = 86_400_000;

interface Upload {
  status: number;
  body: { id: string; size: number; code?: string };
}

describe('the settings of a bucket', () => {
  const required = { DATABASE_URL: 'postgresql://localhost/x', REDIS_URL: 'redis://localhost', JWT_SECRET: 'x'.repeat(32) };
  const bucket = { ARTIFACTS_S3_BUCKET: 'artifacts' };

  it('are a bucket with a region of Amazon, or with the address of another store', () => {
    expect(loadConfig(required).ARTIFACTS_S3_BUCKET).toBeUndefined();
    loadConfig({ ...required, ...bucket, ARTIFACTS_S3_REGION: 'eu-central-1' });
    loadConfig({ ...required, ...bucket, ARTIFACTS_S3_ENDPOINT: 'http://minio:9000', ARTIFACTS_S3_PREFIX: 'gwanje/artifacts/' });
    expect(() => loadConfig({ ...required, ...bucket })).toThrow('ARTIFACTS_S3_REGION must be a region such as eu-central-1, or ARTIFACTS_S3_ENDPOINT must be set');
  });

  it.each([
    ['ARTIFACTS_S3_BUCKET', { ARTIFACTS_S3_REGION: 'eu-central-1' }],
    ['ARTIFACTS_S3_BUCKET', { ARTIFACTS_S3_PREFIX: 'gwanje/' }],
    ['ARTIFACTS_S3_BUCKET', { ARTIFACTS_S3_BUCKET: 's3://artifacts', ARTIFACTS_S3_REGION: 'eu-central-1' }],
    ['ARTIFACTS_S3_ENDPOINT', { ...bucket, ARTIFACTS_S3_ENDPOINT: 'minio:9000' }],
    ['ARTIFACTS_S3_REGION', { ...bucket, ARTIFACTS_S3_REGION: 'eu central' }],
    ['ARTIFACTS_S3_PREFIX', { ...bucket, ARTIFACTS_S3_REGION: 'eu-central-1', ARTIFACTS_S3_PREFIX: '/gwanje' }],
  ])('are refused where they make no sense, by name: %s', (name, settings) => {
    expect(() => loadConfig({ ...required, ...settings })).toThrow(`${name} must be`);
  });
});

describeWith('swift', SWIFT)('artifacts in an S3-compatible store', () => {
  let swift: Swift;
  let network: TcpProxy;
  let folder: string;
  let shared: Record<string, string>;
  let env: TestEnvironment;
  let client: { id: string; clientKey: string };
  let log = '';
  const sink = new Writable({ write: (chunk: Buffer, _, done) => ((log += chunk.toString()), done()) });

  beforeAll(async () => {
    Object.assign(process.env, CREDENTIALS);
    folder = mkdtempSync(join(tmpdir(), 'gwanje-s3-'));
    swift = await Swift.start();
    network = await TcpProxy.create(swift.url);
    shared = {
      DATABASE_URL: await createDatabase(), JWT_SECRET: randomUUID() + randomUUID(), AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
      ARTIFACTS_S3_BUCKET: swift.bucket, ARTIFACTS_S3_ENDPOINT: network.url, ARTIFACTS_S3_PREFIX: PREFIX, ARTIFACT_RETENTION_DAYS: '7',
    };
    env = await TestEnvironment.create(shared, undefined, new Log({ NODE_ENV: 'production', LOG_LEVEL: 'info' }, sink));
    client = await env.client('machine', { concurrency: 100 });
  }, 120_000);
  afterAll(async () => {
    await env.destroy();
    await network.close();
    await swift.stop();
    rmSync(folder, { recursive: true, force: true });
    for (const name of Object.keys(CREDENTIALS)) delete process.env[name];
  });

  const keyOf = ({ body }: Upload): string => PREFIX + body.id;
  const upload = async (command: string, bytes: Buffer, type = 'image/png', name = 'shelf 1.png', to = env): Promise<Upload> => {
    const answer = await fetch(`${to.url}/api/commands/${command}/artifacts`, {
      method: 'POST', body: bytes, headers: { Authorization: `Bearer ${client.clientKey}`, 'Content-Type': type, 'X-File-Name': encodeURIComponent(name) },
    });
    return { status: answer.status, body: (await answer.json()) as Upload['body'] };
  };
  const listed = async (command: string): Promise<{ id: string }[]> =>
    ((await env.get(`/api/commands/${command}/artifacts`).expect(200)).body as { items: { id: string }[] }).items;
  const reading = (command: string, { body }: Upload, signal?: AbortSignal): Promise<Response> =>
    fetch(`${env.url}/api/commands/${command}/artifacts/${body.id}`, { headers: { Authorization: `Bearer ${env.token}` }, signal: signal ?? null });

  it('are objects of the bucket, and reach a person as they were sent', async () => {
    const command = await env.command(client.id);
    const bytes = randomBytes(3 * MIB);
    const sent = await upload(command, bytes);
    expect(sent).toMatchObject({ status: 201, body: { size: bytes.length } });
    const stored = await swift.read(keyOf(sent));
    expect([stored.type, stored.bytes.equals(bytes)]).toEqual(['image/png', true]);
    expect(readdirSync(env.artifacts)).not.toContain(sent.body.id);

    const answer = await env.get(`/api/commands/${command}/artifacts/${sent.body.id}`).responseType('arraybuffer').expect(200);
    expect((answer.body as Buffer).equals(bytes)).toBe(true);
    expect(answer.headers).toMatchObject({
      'content-type': 'image/png', 'content-disposition': "attachment; filename*=UTF-8''shelf%201.png", 'x-content-type-options': 'nosniff',
    });
    await eventually(() => expect(log).toContain(`artifacts are kept in s3://${swift.bucket}/${PREFIX}`));
  });

  it('keep the type that an agent says, also one that no object can have', async () => {
    const command = await env.command(client.id);
    const sent = await upload(command, Buffer.from('x'), 'text/plain; title="caf\u00e9"');
    expect(sent.status).toBe(201);
    expect((await swift.read(keyOf(sent))).type).toBe('application/octet-stream');
    expect((await reading(command, sent)).headers.get('content-type')).toBe('text/plain; title="caf\u00e9"');
  });

  it('are one when they are sent again, or five times at once', async () => {
    const command = await env.command(client.id);
    const before = (await swift.keys()).length;
    const bytes = randomBytes(MIB);
    const sent = await Promise.all(Array.from({ length: 5 }, () => upload(command, bytes)));
    sent.push(await upload(command, bytes));
    expect(new Set(sent.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect(await listed(command)).toHaveLength(1);
    expect((await swift.keys()).length).toBe(before + 1);
  });

  it('come from an agent by one server, and go to a person by another', async () => {
    const agent = await new RealAgent({ serverUrl: env.url, clientKey: (await env.client('till')).clientKey }).start();
    const other = await ServerProcess.start({ ...shared, ...CREDENTIALS, REDIS_URL: redisOfThisWorker(), ARTIFACTS_DIR: join(folder, 'nothing') });
    try {
      const bytes = randomBytes(MIB);
      const path = join(agent.folder, 'till.log');
      writeFileSync(path, bytes);
      const id = await env.command('till', { action: 'file_get', payload: { path } });
      const { result } = (await env.reaches(id, 'completed')) as { result: { data: { artifactId: string } } };
      const address = `/api/commands/${id}/artifacts/${result.data.artifactId}`;
      const answer = await request(other.url).get(address).set('Authorization', `Bearer ${env.token}`).responseType('arraybuffer').expect(200);
      expect((answer.body as Buffer).equals(bytes)).toBe(true);
    } finally {
      await other.stop();
      await agent.destroy();
    }
  }, 120_000);

  it('are not found where the store has lost them', async () => {
    const command = await env.command(client.id);
    const sent = await upload(command, randomBytes(10));
    await swift.remove(keyOf(sent));
    const answer = await reading(command, sent);
    expect([answer.status, answer.headers.get('content-type'), await answer.json()]).toEqual([
      404, expect.stringContaining('application/problem+json'), expect.objectContaining({ code: 'not_found' }),
    ]);
  });

  it('wait for a store that is away: what is sent again afterwards is there', async () => {
    const command = await env.command(client.id);
    const bytes = randomBytes(MIB);
    const earlier = await upload(command, Buffer.from('earlier'));
    await swift.shut();
    expect(await upload(command, bytes)).toMatchObject({ status: 503, body: { code: 'artifact_store_unavailable' } });
    const answer = await reading(command, earlier);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2']);
    expect(log).toContain('artifact_store_unavailable: ');
    expect(await listed(command)).toHaveLength(1);
    await swift.open();
    const sent = await upload(command, bytes);
    expect(sent.status).toBe(201);
    expect((await download(env, command, sent.body.id)).equals(bytes)).toBe(true);
    expect(await listed(command)).toHaveLength(2);
  });

  it('are removed when the policy no longer keeps them, and nothing else is', async () => {
    const agent = await env.connect(client);
    const [ended, fresh] = [await env.command(client.id), await env.command(client.id)];
    const [gone, kept] = [await upload(ended, Buffer.from('gone')), await upload(fresh, Buffer.from('kept'))];
    // As if both had been sent long ago.
    const [goneId, keptId, nobodys, underWay] = [uuid(), uuid(), uuid(), uuid()];
    for (const [artifact, id] of [[gone, goneId], [kept, keptId]] as const) {
      await env.sql('UPDATE artifacts SET id = $2 WHERE id = $1', [artifact.body.id, id]);
      await swift.remove(keyOf(artifact));
    }
    const others = [`${PREFIX}notes.txt`, `${PREFIX}deeper/${uuid()}`, uuid()];
    const later = new Date(Date.now() + 8 * DAY_MS);
    swift.writeAt(new Date(Date.now() - 2 * DAY_MS), [...[goneId, keptId, nobodys].map((id) => PREFIX + id), ...others]);
    swift.writeAt(later, [PREFIX + underWay]);
    await eventually(() => expect(agent.received.map(({ id }) => id)).toContain(ended));
    await agent.post(`/api/commands/${ended}/result`, { success: true });
    await env.sql('UPDATE commands SET completed_at = $2 WHERE id <> $1 AND completed_at IS NOT NULL', [ended, later]);

    const retention = env.app.get(CommandRetention, { strict: false });
    await swift.shut();
    // The rows go, and what was dropped is on record; the store is asked again by the next round.
    await expect(retention.drop(later)).rejects.toMatchObject({ code: 'artifact_store_unavailable' });
    expect(await env.sql(`SELECT detail->'artifacts' AS count FROM audit_log WHERE action = 'commands.retention'`)).toEqual([{ count: 1 }]);
    await swift.open();
    expect(await swift.keys()).toContain(PREFIX + goneId);
    await retention.drop(later);
    const keys = await swift.keys();
    expect(keys).toEqual(expect.arrayContaining([PREFIX + keptId, PREFIX + underWay, ...others]));
    for (const id of [goneId, nobodys]) expect(keys).not.toContain(PREFIX + id);
    expect(await listed(ended)).toEqual([]);
  });

  describe('on their way to a person', () => {
    const large = randomBytes(48 * MIB);
    let command: string;
    let sent: Upload;
    beforeAll(async () => {
      command = await env.command(client.id);
      sent = await upload(command, large);
    });

    it('are let go when nobody wants them any more', async () => {
      const leaving = new AbortController();
      const answer = await reading(command, sent, leaving.signal);
      await answer.body?.getReader().read();
      const during = network.open;
      leaving.abort();
      // A connection that is kept for the next request has brought its answer to the end; this one has not.
      await eventually(() => expect(network.open).toBeLessThanOrEqual(during - 2));
    });

    it('break where the store does, instead of ending as if they were whole', async () => {
      const answer = await reading(command, sent);
      expect(answer.status).toBe(200);
      network.cut();
      await expect(answer.arrayBuffer()).rejects.toThrow();
      network.mend();
      await eventually(() => expect(log).toContain(`reading ${sent.body.id} broke off: `));
      expect((await download(env, command, sent.body.id)).equals(large)).toBe(true);
    });

    it('wait for a slow person, and not for a silent store', async () => {
      const silent = await reading(command, sent);
      network.freeze();
      // By a connection that is not frozen.
      const slow = await reading(command, sent);
      const since = Date.now();
      await expect(silent.arrayBuffer()).rejects.toThrow();
      expect(log).toContain('broke off: Error: no bytes for 10000 ms');
      await eventually(() => expect(Date.now() - since).toBeGreaterThan(11_000));
      expect(Buffer.from(await slow.arrayBuffer()).equals(large)).toBe(true);
    });
  });

  // Last: whoever is logged in at the server of the other tests is not any more after one of these has started.
  describe('at a server that cannot use its store', () => {
    it('are not taken with credentials that the store refuses, and the log says so', async () => {
      const { AWS_SECRET_ACCESS_KEY } = CREDENTIALS;
      const before = await swift.keys();
      let said = '';
      process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
      const ear = new Writable({ write: (chunk: Buffer, _, done) => ((said += chunk.toString()), done()) });
      const stranger = await TestEnvironment.create(
        { ARTIFACTS_S3_BUCKET: swift.bucket, ARTIFACTS_S3_ENDPOINT: swift.url }, undefined, new Log({ NODE_ENV: 'production', LOG_LEVEL: 'info' }, ear),
      );
      try {
        await eventually(() => expect(said).toMatch(/artifacts cannot be kept in s3:\/\/gwanje-artifacts\/: SignatureDoesNotMatch: /));
        const machine = await stranger.client('machine');
        const command = await stranger.command(machine.id);
        const answer = await request(stranger.url).post(`/api/commands/${command}/artifacts`).set('Authorization', `Bearer ${machine.clientKey}`)
          .set('Content-Type', 'image/png').send(randomBytes(10));
        expect([answer.status, answer.type, answer.body]).toMatchObject([503, 'application/problem+json', { code: 'artifact_store_unavailable' }]);
        expect(JSON.stringify(answer.body)).not.toContain('ignature');
        expect(said).toContain('artifact_store_unavailable: SignatureDoesNotMatch: ');
        expect(await stranger.sql('SELECT 1 FROM artifacts')).toEqual([]);
        expect(await swift.keys()).toEqual(before);
      } finally {
        process.env['AWS_SECRET_ACCESS_KEY'] = AWS_SECRET_ACCESS_KEY;
        await stranger.destroy();
      }
    });

    it('are refused in time when the store takes the call and never answers', async () => {
      const mute = createServer().listen(0, '127.0.0.1');
      await once(mute, 'listening');
      const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
      const patient = await TestEnvironment.create({ ARTIFACTS_S3_BUCKET: swift.bucket, ARTIFACTS_S3_ENDPOINT: url });
      try {
        const machine = await patient.client('machine');
        const id = await patient.command(machine.id);
        const answer = await request(patient.url).post(`/api/commands/${id}/artifacts`).set('Authorization', `Bearer ${machine.clientKey}`)
          .set('Content-Type', 'image/png').send('x');
        expect([answer.status, (answer.body as { code: string }).code]).toEqual([503, 'artifact_store_unavailable']);
      } finally {
        await patient.destroy();
        mute.close();
      }
    });
  });
});
