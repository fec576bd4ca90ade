import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certify } from '../../apps/api/test/support/certificate';
import { eventually, query, TestEnvironment } from '../../apps/api/test/support/environment';
import { describeWith } from '../../apps/api/test/support/programs';
import { stopChild } from '../../tools/servers/process';
import { TRANSPORT_NAMES } from './terms';

const AGENTS = 3;

jest.setTimeout(60_000);

describeWith('openssl', { programs: ['openssl'] })('npm run simulate, against an installation with TLS', () => {
  let env: TestEnvironment;
  let folder: string;
  let cert: string;
  let token: string;
  let simulator: ChildProcess | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-simulate-'));
    const pair = certify(folder, 'localhost');
    cert = pair.cert;
    env = await TestEnvironment.create({ TLS_CERT: pair.cert, TLS_KEY: pair.key });
    const { body } = await env.post('/api/enrolment-tokens', { uses: AGENTS }).disableTLSCerts().expect(201);
    token = (body as { token: string }).token;
  });
  afterEach(async () => simulator && stopChild(simulator, 'SIGTERM'));
  afterAll(async () => {
    await env.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(TRANSPORT_NAMES)('connects agents that enrolled themselves, and they obey, over %s', async (transport) => {
    const args = ['--url', env.url, '--agents', `${AGENTS}`, '--enrol', token, '--keys', join(folder, 'keys.json'), '--transport', transport];
    simulator = spawn(process.execPath, ['--import', 'tsx', 'bench/simulator/main.ts', ...args], {
      env: { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: cert },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const online = (): Promise<{ id: string }[]> => query(env.databaseUrl, `SELECT id FROM clients WHERE status = 'online'`);
    await eventually(async () => expect(await online()).toHaveLength(AGENTS), 30_000);
    const clientIds = (await online()).map(({ id }) => id);
    await env.post('/api/commands/batch', { targets: { clientIds }, action: 'noop', payload: {} }).disableTLSCerts().expect(201);
    const open = (): Promise<unknown[]> => query(env.databaseUrl, `SELECT 1 FROM commands WHERE status <> 'completed'`);
    await eventually(async () => expect(await open()).toHaveLength(0), 30_000);
  });
});
