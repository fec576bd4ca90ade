import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { mostWithin, WatchedFleet } from '../../../tools/chaos/figures/watched-fleet';
import { HttpLink } from '../../../tools/chaos/network/http-link';
import { Random } from '../../../tools/chaos/random';
import { ADMIN, createDatabase, dropDatabase, eventually, query } from './support/environment';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { ServerProcess } from './support/server-process';

const AGENTS = 1_000;
const PATIENCE_MS = 180_000;
const ORDERS = 5;

describe('a rolling restart of all servers under a thousand agents', () => {
  let folder: string;
  let databaseUrl: string;
  let settings: Record<string, string>;
  let servers: ServerProcess[];
  let ports: number[];
  let link: HttpLink;
  let fleet: WatchedFleet | undefined;
  let admin: string;
  let group: string[];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-rolling-'));
    databaseUrl = await createDatabase();
    settings = {
      DATABASE_URL: databaseUrl, REDIS_URL: redisOfThisWorker(), JWT_SECRET: randomUUID() + randomUUID(), DB_POOL_MIN: '0', LOG_LEVEL: 'error',
      ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password, ARTIFACTS_DIR: join(folder, 'artifacts'), AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
    };
    servers = await Promise.all([ServerProcess.start(settings), ServerProcess.start(settings)]);
    ports = servers.map(({ url }) => Number(new URL(url).port));
    link = await HttpLink.open(ports, new Random(1));
    const { body } = await request(at()).post('/api/auth/login').send(ADMIN).expect(200);
    admin = (body as { accessToken: string }).accessToken;
    const names = Array.from({ length: AGENTS }, (_, n) => `agent-${n}`);
    const identities: { id: string; name: string; key: string }[] = [];
    const enrol = async (): Promise<void> => {
      for (let name = names.pop(); name; name = names.pop()) {
        const made = (await post('/api/clients', { name })) as { id: string; clientKey: string };
        identities.push({ id: made.id, name, key: made.clientKey });
      }
    };
    await Promise.all(Array.from({ length: 16 }, enrol));
    group = identities.map(({ id }) => id);
    fleet = new WatchedFleet(at(), identities);
    await fleet.connect(100);
  }, 2 * PATIENCE_MS);
  afterAll(async () => {
    fleet?.close();
    await Promise.all(servers.map((server) => server.stop()));
    await link.close();
    rmSync(folder, { recursive: true, force: true });
    await dropDatabase(databaseUrl);
  });

  const at = (): string => `http://127.0.0.1:${link.port}`;
  const post = async (path: string, body: object): Promise<unknown> => {
    const headers = { Authorization: `Bearer ${admin}`, 'Content-Type': 'application/json' };
    const answer = await fetch(at() + path, { method: 'POST', headers, body: JSON.stringify(body) });
    expect(answer.status).toBe(201);
    return answer.json();
  };

  it('brings each back, spread over time, and loses and doubles nothing of their work', async () => {
    if (!fleet) throw new Error('there are no agents');
    for (const index of servers.keys()) {
      const before = fleet.arrivals.length;
      for (let n = 0; n < ORDERS; n++) await post('/api/commands/batch', { targets: { clientIds: group }, action: 'noop', payload: {} });
      await servers[index]?.stop();
      servers[index] = await ServerProcess.start(settings);
      ports[index] = Number(new URL(servers[index].url).port);
      await fleet.whole(PATIENCE_MS);
      const returns = fleet.arrivals.slice(before);
      expect(returns.length).toBeGreaterThan(0);
      // All in one tenth of a second would be a herd; evenly spread over a second it is a tenth of them.
      expect(mostWithin(returns, 100) / returns.length).toBeLessThan(0.6);
    }
    const count = servers.length * ORDERS * AGENTS;
    await eventually(() => expect(fleet?.tally.settled).toBe(count), PATIENCE_MS);
    const states = await query<{ status: string; attempt: number; count: number }>(
      databaseUrl, 'SELECT status, attempt, count(*)::integer AS count FROM commands GROUP BY 1, 2',
    );
    expect(states).toEqual([{ status: 'completed', attempt: 1, count }]);
    expect(new Set(fleet.takeLives().map(({ id }) => id)).size).toBe(count);
  }, 4 * PATIENCE_MS);
});
