import type { RolledBack } from '@gwanje/contracts';
import { execFile, type ExecFileException } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request as requestOf, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import { signBundle } from '../../../tools/agent-bundle/signing';
import { eventually, TestEnvironment } from './support/environment';
import { RealAgent } from './support/real-agent';

interface Described {
  id: string;
  agent: { version: string; rolledBack?: RolledBack } | null;
}

jest.setTimeout(120_000);

const ROOT = resolve(__dirname, '../../..');
const TRIAL_MS = '8000';
const WITHIN_MS = 40_000;

/** Real bundles of three versions, a real server that offers one of them, and a real agent below its launcher. */
describe('the update of an agent', () => {
  let folder: string;
  let env: TestEnvironment;
  let agent: RealAgent | undefined;
  let count = 0;
  const path = (...names: string[]): string => join(folder, ...names);
  const build = (...args: string[]): Promise<void> =>
    new Promise((done, fail) => {
      const all = ['--import', 'tsx', join(ROOT, 'tools/agent-bundle/main.ts'), ...args];
      execFile(process.execPath, all, { cwd: ROOT }, (error: ExecFileException | null, _, said) => (error ? fail(new Error(said)) : done()));
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'gwanje-update-'));
    for (const key of ['key', 'other']) await build('--make-key', path(key));
    await build(path('v1'), '--as', '1.0.0', '--sign', path('key'));
    await build(path('v2'), '--as', '1.2.0', '--sign', path('key'));
    await build(path('v3'), '--as', '1.6.0', '--sign', path('key'));
    mkdirSync(path('offer'));
    env = await TestEnvironment.create({ AGENT_BUNDLE: path('offer', 'agent.js') });
  }, 120_000);
  beforeEach(() => {
    for (const name of readdirSync(path('offer'))) rmSync(path('offer', name));
  });
  afterEach(async () => {
    await agent?.destroy();
    agent = undefined;
  });
  afterAll(async () => {
    await env.destroy();
    rmSync(folder, { recursive: true, force: true });
  });

  const offer = (from: string): void => {
    for (const name of ['agent.js.sig', 'agent.js']) copyFileSync(path(from, name), path('offer', name));
  };
  /** A bundle of this version with other contents, signed or not. */
  const plant = (version: string, body: string, key = 'key'): void => {
    writeFileSync(path('offer', 'agent.js'), `// gwanje-agent ${version} (planted)\n${body}\n`);
    signBundle(path('offer', 'agent.js'), path(key));
  };
  const installed = async (serverUrl = env.url): Promise<{ id: string; machine: RealAgent }> => {
    const { id, clientKey } = await env.client(`till-${++count}`);
    const settings = { UPDATE: 'auto', AGENT_UPDATE_KEY: path('key.pub'), AGENT_UPDATE_TRIAL_MS: TRIAL_MS };
    const policy = { programs: ['/bin/sh'] };
    agent = await new RealAgent({ serverUrl, clientKey, program: [path('v1', 'agent.js')], policy, env: settings }).start();
    return { id, machine: agent };
  };
  const version = async (id: string): Promise<unknown> => ((await env.get(`/api/clients/${id}`).expect(200)).body as { agent?: { version: string } }).agent?.version;
  const append = (machine: RealAgent): object => ({ action: 'shell', payload: { program: '/bin/sh', args: ['-c', `sleep 0.2; echo done >> '${machine.oracle}'`] } });
  const works = async (id: string): Promise<unknown> => env.reaches(await env.command(id), 'completed', WITHIN_MS);
  /** Its session is what brings the offer. */
  const comesBack = async (machine: RealAgent): Promise<void> => {
    const before = machine.connections;
    await machine.stop();
    await machine.start();
    expect(machine.connections).toBeGreaterThan(before);
  };

  it('is taken under load: the new version has the identity and the journal, and each command is done once', async () => {
    const { id, machine } = await installed();
    expect(await version(id)).toBe('1.0.0');
    offer('v2');
    await comesBack(machine);
    const commands: string[] = [];
    for (let left = 5; left > 0; ) {
      commands.push(await env.command(id, append(machine)));
      if ((await version(id)) === '1.2.0') left -= 1;
      // As many at a time as there are slots.
      const oldest = commands.at(-4);
      if (oldest) await env.reaches(oldest, 'completed', WITHIN_MS);
      if (commands.length > 400) throw new Error(`no new version:\n${machine.log}`);
    }
    for (const command of commands) expect(await env.reaches(command, 'completed', WITHIN_MS)).toMatchObject({ attempt: 1 });
    expect(machine.effects).toBe(commands.length);
    expect(commands.length).toBeGreaterThan(5);
    await machine.stop();
    await machine.start();
    expect(await version(id)).toBe('1.2.0');
  });

  it('is taken by an agent that is connected when it is offered, and not before the signature is there', async () => {
    const { id, machine } = await installed();
    const before = machine.connections;
    copyFileSync(path('v2', 'agent.js'), path('offer', 'agent.js'));
    writeFileSync(path('offer', 'agent.js.sig'), readFileSync(path('v1', 'agent.js.sig')));
    await eventually(() => expect(machine.log).toContain('the signed version, 1.0.0, is not newer'), WITHIN_MS);
    expect(machine.connections).toBe(before);
    offer('v2');
    await eventually(async () => expect(await version(id)).toBe('1.2.0'), WITHIN_MS);
    await works(id);
    expect(machine.log).not.toContain('no connection');
  });

  it.each([
    ['signed with another key', (): void => plant('1.5.0', '', 'other'), 'not by the key that this agent trusts'],
    ['another file than was signed', (): void => {
      plant('1.5.0', 'a');
      writeFileSync(path('offer', 'agent.js'), '// gwanje-agent 1.5.0 (planted)\nb\n');
    }, 'what came is not what was signed'],
    ['cut short', (): void => {
      plant('1.5.0', 'a'.repeat(100));
      writeFileSync(path('offer', 'agent.js'), readFileSync(path('offer', 'agent.js')).subarray(0, 60));
    }, 'bytes came, and not'],
    ['an older version under a newer name', (): void => {
      offer('v1');
      writeFileSync(path('offer', 'agent.js'), `// gwanje-agent 9.0.0 (planted)\n`);
    }, 'the signed version, 1.0.0, is not newer'],
  ])('refuses what is %s', async (_, prepare, reason) => {
    const { id, machine } = await installed();
    prepare();
    await comesBack(machine);
    await eventually(() => expect(machine.log).toContain(reason), WITHIN_MS);
    await works(id);
    expect(await version(id)).toBe('1.0.0');
  });

  it.each([
    ['ends at once', 'process.exit(3);', 'ended'],
    ['never connects', 'setInterval(() => undefined, 1000); process.on("SIGTERM", () => process.exit(0));', 'late'],
  ])('goes back when the new version %s, tells the server, and does not try it again', async (_, body, reason) => {
    const { id, machine } = await installed();
    plant('1.5.0', body);
    await comesBack(machine);
    const before = machine.connections;
    await eventually(() => expect(machine.log).toContain('version 1.5.0 is tried'), WITHIN_MS);
    await eventually(() => expect(machine.connections).toBeGreaterThan(before), WITHIN_MS);
    await works(id);
    expect(await version(id)).toBe('1.0.0');
    const rolledBack = async (): Promise<unknown> => ((await env.get(`/api/clients/${id}`).expect(200)).body as Described).agent?.rolledBack;
    const listed = async (): Promise<string[]> => ((await env.get('/api/clients?update=rolled_back').expect(200)).body as { items: Described[] }).items.map((one) => one.id);
    expect(await rolledBack()).toEqual({ version: '1.5.0', reason });
    expect(await listed()).toContain(id);
    const trials = machine.log.split('version 1.5.0 is tried').length;
    await comesBack(machine);
    await works(id);
    expect(machine.log.split('version 1.5.0 is tried')).toHaveLength(trials);
    expect(await rolledBack()).toEqual({ version: '1.5.0', reason });
    // What is newer than the one that failed makes up for it.
    offer('v3');
    await eventually(async () => expect(await version(id)).toBe('1.6.0'), WITHIN_MS);
    expect(await rolledBack()).toBeUndefined();
    expect(await listed()).not.toContain(id);
  });

  it('goes on with a server from before there was a word for a version that was given up', async () => {
    const older = createServer((asked, answer) => void pass(asked, answer)).listen(0, '127.0.0.1');
    const refused: unknown[] = [];
    const pass = async (asked: IncomingMessage, answer: ServerResponse): Promise<void> => {
      const body = Buffer.concat(await asked.toArray() as Buffer[]);
      if (asked.url === '/api/agents/session' && body.includes('rolledBack')) {
        refused.push(asked.url);
        answer.writeHead(400, { 'Content-Type': 'application/problem+json' }).end('{"status":400,"title":"Bad Request","code":"invalid_input"}');
        return;
      }
      const forward = requestOf(env.url + (asked.url ?? ''), { method: asked.method ?? 'GET', headers: asked.headers }, (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      answer.on('close', () => forward.destroy());
      forward.on('error', () => answer.destroy());
      forward.end(body);
    };
    await once(older, 'listening');
    const { id, machine } = await installed(`http://127.0.0.1:${(older.address() as AddressInfo).port}`);
    const before = machine.connections;
    plant('1.5.0', 'process.exit(3);');
    await eventually(() => expect(machine.log).toContain('version 1.5.0 is tried'), WITHIN_MS);
    await eventually(() => expect(machine.connections).toBeGreaterThan(before), WITHIN_MS);
    await works(id);
    expect(refused.length).toBeGreaterThan(0);
    await machine.stop();
    older.closeAllConnections();
    older.close();
  });

  it('is offered to enrolled agents alone', async () => {
    offer('v2');
    await request(env.url).get('/api/agents/release').expect(401);
    await env.get('/api/agents/release').expect(403);
    rmSync(path('offer', 'agent.js.sig'));
    const { clientKey } = await env.client('asks');
    await request(env.url).get('/api/agents/release').set('Authorization', `Bearer ${clientKey}`).expect(404).expect('Content-Type', /problem\+json/);
  });
});
