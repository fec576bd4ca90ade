import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../../tools/servers/ports';
import { ADMIN, createDatabase, dropDatabase, eventually } from './support/environment';
import { Nginx, NGINX } from './support/nginx';
import { describeWith } from './support/programs';
import { RealAgent } from './support/real-agent';
import { redisOfThisWorker } from './support/redis-of-this-worker';
import { ServerProcess } from './support/server-process';

jest.setTimeout(240_000);

type Role = 'api' | 'gateway' | 'worker';
const NAMES: [Role, number][] = [['api', 1], ['api', 2], ['gateway', 1], ['gateway', 2], ['worker', 1], ['worker', 2]];

describeWith('nginx', NGINX)('two processes of each role behind nginx with TLS', () => {
  let folder: string;
  let databaseUrl: string;
  let settings: Record<string, string>;
  let nginx: Nginx;
  const processes = new Map<string, ServerProcess>();
  const ports = new Map<string, string>();
  const agents: RealAgent[] = [];
  let trusting: Agent;
  let token: string;

  const start = async (role: Role, number: number): Promise<void> => {
    const name = `${role} ${number}`;
    processes.set(name, await ServerProcess.start({ ...settings, ROLES: role, PORT: ports.get(name) ?? '' }));
  };

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-roles-'));
    databaseUrl = await createDatabase();
    settings = {
      DATABASE_URL: databaseUrl, REDIS_URL: redisOfThisWorker(), JWT_SECRET: randomUUID() + randomUUID(), DB_POOL_MIN: '0', DB_POOL_MAX: '5', DB_HOT_POOL_MAX: '3',
      ADMIN_EMAIL: ADMIN.email, ADMIN_PASSWORD: ADMIN.password, ARTIFACTS_DIR: join(folder, 'artifacts'), AUDIT_KEY_FILE: join(folder, 'audit-key.pem'),
      TRUST_PROXY: '127.0.0.1',
    };
    for (const [role, number] of NAMES) ports.set(`${role} ${number}`, String(await freePort()));
    for (const [role, number] of NAMES) await start(role, number);
    const of = (role: Role): string[] => NAMES.filter(([other]) => other === role).map((name) => ports.get(name.join(' ')) ?? '');
    nginx = await Nginx.start({ api: of('api'), gateway: of('gateway') });
    trusting = new Agent({ ca: readFileSync(nginx.certificate), keepAlive: true });
    token = (await call('POST', '/api/auth/login', ADMIN)).body['accessToken'] as string;
    for (const transport of ['sse', 'ws']) {
      const { body } = await call('POST', '/api/clients', { name: `machine-${transport}` });
      const env = { NODE_EXTRA_CA_CERTS: nginx.certificate, TRANSPORT: transport };
      agents.push(await new RealAgent({ serverUrl: nginx.url, clientKey: body['clientKey'] as string, policy: { programs: ['sh'] }, env }).start());
    }
  });
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.destroy()));
    trusting?.destroy();
    await nginx?.stop();
    await Promise.all([...processes.values()].map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
    await dropDatabase(databaseUrl);
  });

  /** Rejects when there was no answer. */
  function call(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<{ status: number; body: Record<string, unknown> }> {
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(nginx.url + path, { method, agent: trusting, timeout: 10_000 }, (answer) => {
        let text = '';
        answer.on('data', (part: Buffer) => (text += part.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown> }));
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.on('timeout', () => sent.destroy(new Error('no answer')));
      sent.setHeader('Content-Type', 'application/json');
      if (token) sent.setHeader('Authorization', `Bearer ${token}`);
      for (const [name, value] of Object.entries(headers)) sent.setHeader(name, value);
      sent.end(body && JSON.stringify(body));
    });
  }

  /** As a careful script does it: again with the same key until the server has said that it is stored. */
  async function order(machine: string, line: string, oracle: string): Promise<string> {
    const body = { clientId: machine, action: 'shell', payload: { program: 'sh', args: ['-c', `echo ${line} >> ${oracle}`] } };
    let id = '';
    await eventually(async () => {
      const answer = await call('POST', '/api/commands', body, { 'Idempotency-Key': line });
      if (answer.status !== 201) throw new Error(`answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      id = answer.body['id'] as string;
    }, 60_000);
    return id;
  }

  it('lose nothing and do nothing twice while each of them is killed in turn under load', async () => {
    const ordered: string[] = [];
    let over = false;
    const load = async (agent: RealAgent, machine: string): Promise<void> => {
      for (let n = 0; !over; n++) {
        ordered.push(await order(machine, `${machine}-${n}`, agent.oracle));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const loads = [load(agents[0] as RealAgent, 'machine-sse'), load(agents[1] as RealAgent, 'machine-ws')];
    for (const [role, number] of NAMES) {
      const before = ordered.length;
      await processes.get(`${role} ${number}`)?.kill();
      // Goes on without it.
      await eventually(() => expect(ordered.length).toBeGreaterThan(before + 10), 60_000);
      await start(role, number);
    }
    over = true;
    await Promise.all(loads);
    for (const id of ordered) {
      await eventually(async () => expect((await call('GET', `/api/commands/${id}`)).body).toMatchObject({ status: 'completed', attempt: 1 }), 60_000);
    }
    const lines = agents.flatMap((agent) => readFileSync(agent.oracle, 'utf8').trim().split('\n'));
    expect(lines).toHaveLength(ordered.length);
    expect(new Set(lines).size).toBe(ordered.length);
  });

  it('know who called, and what is not theirs to answer', async () => {
    await call('POST', '/api/auth/login', { email: 'nobody@example.com', password: 'x' }, { 'X-Forwarded-For': '203.0.113.9' });
    await eventually(async () => {
      const { body } = await call('GET', '/api/audit?action=auth.login&outcome=refused&limit=1');
      // What the caller claims is not believed: nginx says who it was.
      expect((body['items'] as { address: string }[])[0]?.address).toBe('127.0.0.1');
    });
    const misdirected = await fetch(`http://127.0.0.1:${ports.get('worker 1')}/api/clients`, { headers: { Authorization: `Bearer ${token}` } });
    expect(misdirected.status).toBe(421);
    expect(await misdirected.json()).toMatchObject({ code: 'wrong_role' });
    expect((await call('GET', '/metrics')).status).toBe(403);
  });
});
