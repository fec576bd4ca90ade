import { execFile, execFileSync, spawn } from 'node:child_process';
import { appendFileSync, chmodSync, copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import request from 'supertest';
import { Log } from '../src/core/logging/log';
import { stopChild } from '../../../tools/servers/process';
import { eventually, TestEnvironment } from './support/environment';
import { MACHINE_NODE } from './support/machine-node';
import { describeWith } from './support/programs';
import { RealAgent } from './support/real-agent';

const ROOT = resolve(__dirname, '../../..');
const folders: string[] = [];
const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'gwanje-install-'));
  folders.push(made);
  return made;
};
let built: string;
beforeAll(() => {
  built = folder();
  execFileSync(process.execPath, ['--import', 'tsx', join(ROOT, 'tools', 'agent-bundle', 'main.ts'), built], { cwd: ROOT });
}, 120_000);
afterAll(() => folders.forEach((made) => rmSync(made, { recursive: true, force: true })));

/** A copy of what was built, for a test to change. */
function copyOfBuilt(): string {
  const copy = folder();
  for (const name of readdirSync(built)) copyFileSync(join(built, name), join(copy, name));
  return join(copy, 'agent.js');
}

describe('the agent as one file', () => {
  let env: TestEnvironment;
  beforeAll(async () => void (env = await TestEnvironment.create()));
  afterAll(() => env.destroy());

  it('does a command in a folder where nothing else is, and takes its journal up after a power cut', async () => {
    const client = await env.client('till');
    const place = folder();
    copyFileSync(join(built, 'agent.js'), join(place, 'agent.js'));
    const policy = { programs: ['echo'] };
    const agent = await new RealAgent({ serverUrl: env.url, clientKey: client.clientKey, program: [join(place, 'agent.js')], policy }).start();
    try {
      const first = await env.command(client.id, { action: 'shell', payload: { program: 'echo', args: ['alone'] } });
      expect((await env.reaches(first, 'completed'))['result']).toMatchObject({ data: { stdout: 'alone\n' } });
      await agent.kill();
      const second = await env.command(client.id);
      await agent.start();
      await env.reaches(second, 'completed');
      expect(readdirSync(place)).toEqual(['agent.js']);
    } finally {
      await agent.destroy();
    }
  });

  it('ends in order when nobody reads its log any more', async () => {
    const client = await env.client('unread');
    const variables = { SERVER_URL: env.url, CLIENT_KEY: client.clientKey, AGENT_DATA_DIR: folder() };
    const agent = spawn(MACHINE_NODE, [join(built, 'agent.js')], { env: variables, stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await env.reaches(await env.command(client.id), 'completed');
      agent.stdout.destroy();
      agent.kill('SIGTERM');
      await eventually(() => expect(agent.exitCode).toBe(0));
    } finally {
      await stopChild(agent, 'SIGKILL');
    }
  });

  it('says its version, and writes its compiled part anew when that is not what it was', () => {
    const data = folder();
    const version = (): string => execFileSync(MACHINE_NODE, [join(built, 'agent.js'), '--version'], { env: { AGENT_DATA_DIR: data } }).toString();
    const { version: expected } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(version()).toBe(`${expected}\n`);
    const [name = ''] = readdirSync(join(data, 'native'));
    writeFileSync(join(data, 'native', name), 'broken');
    expect(version()).toBe(`${expected}\n`);
    expect(readdirSync(join(data, 'native'))).toEqual([name]);
  });
});

describeWith('curl', { programs: ['curl', 'sh'] })('the line that installs an agent', () => {
  let env: TestEnvironment;
  let bundle: string;
  let log = '';
  beforeAll(async () => {
    bundle = copyOfBuilt();
    const sink = new Writable({ write: (chunk: Buffer, _, done) => ((log += chunk.toString()), done()) });
    env = await TestEnvironment.create({ AGENT_BUNDLE: bundle, LOG_LEVEL: 'trace' }, undefined, new Log({ NODE_ENV: 'production', LOG_LEVEL: 'trace' }, sink));
  });
  afterAll(() => env.destroy());

  const token = async (): Promise<string> => ((await env.post('/api/enrolment-tokens').expect(201)).body as { token: string }).token;
  const uses = async (): Promise<number[]> => ((await env.get('/api/enrolment-tokens').expect(200)).body as { items: { usesLeft: number }[] }).items.map(({ usesLeft }) => usesLeft);
  const fetched = async (query: string): Promise<string> => (await request(env.url).get(`/install.sh${query}`).expect(200)).text;

  /** Runs it as somebody would paste it; the server goes on meanwhile. */
  function sh(line: string, variables: Record<string, string> = {}): Promise<{ code: number; output: string }> {
    const options = { env: { PATH: process.env['PATH'], HOME: folder(), ...variables }, timeout: 60_000 };
    return new Promise((done) => {
      execFile('sh', ['-c', line], options, (error, stdout, stderr) => done({ code: error ? Number(error.code ?? -1) : 0, output: stdout + stderr }));
    });
  }

  /** Stands before the PATH and notes how the programs are called, which everybody on a machine sees. */
  function watched(): { PATH: string; seen: () => string } {
    const place = folder();
    const notes = join(place, 'notes');
    for (const [program, path] of [['curl', execFileSync('sh', ['-c', 'command -v curl']).toString().trim()], ['node', MACHINE_NODE]] as const) {
      writeFileSync(join(place, program), `#!/bin/sh\nprintf '%s\\n' "$0 $*" >> '${notes}'\nexec '${path}' "$@"\n`);
      chmodSync(join(place, program), 0o755);
    }
    return { PATH: place + delimiter + (process.env['PATH'] ?? ''), seen: () => readFileSync(notes, 'utf8') };
  }

  it('enrols the machine and leaves an agent that its last line starts', async () => {
    const prefix = join(folder(), "the till's");
    const quoted = await sh(`curl -fsSL '${env.url}/install.sh' | sh -s -- --prefix "${prefix}"`);
    expect(quoted).toMatchObject({ code: 1, output: expect.stringContaining('must have no quotes') });

    const place = join(folder(), 'a till');
    const secret = await token();
    const { code, output } = await sh(`curl -fsSL '${env.url}/install.sh?token=${secret}' | sh -s -- --prefix '${place}' --name till-7`);
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('Enrolled as till-7.') });
    const settings = join(place, 'etc/gwanje/agent.env');
    expect(statSync(settings).mode & 0o777).toBe(0o600);
    expect(statSync(join(place, 'var/lib/gwanje-agent')).mode & 0o777).toBe(0o700);
    expect(JSON.parse(readFileSync(join(place, 'etc/gwanje/policy.json'), 'utf8'))).toEqual({});
    expect(readdirSync(join(place, 'opt/gwanje-agent'))).toEqual(['agent.js']);
    expect(log).toContain('GET /install.sh 200');
    expect(log).not.toContain(secret);
    expect(log).not.toContain(/CLIENT_KEY='(.*)'/.exec(readFileSync(settings, 'utf8'))?.[1]);

    const line = output.trim().split('\n').at(-1)?.trim() ?? '';
    const command = await env.command('till-7', { action: 'system_info', payload: {} });
    const agent = spawn('sh', ['-c', `exec ${line}`], { env: {}, stdio: 'ignore' });
    try {
      await env.reaches(command, 'completed', 30_000);
    } finally {
      await stopChild(agent, 'SIGTERM');
    }
  });

  it('keeps the key and the policy, and takes no second use, when it is run again', async () => {
    const place = folder();
    await sh(`curl -fsSL '${env.url}/install.sh?token=${await token()}' | sh`, { GWANJE_PREFIX: place, GWANJE_NAME: 'again' });
    const settings = readFileSync(join(place, 'etc/gwanje/agent.env'), 'utf8');
    writeFileSync(join(place, 'etc/gwanje/policy.json'), '{"actions":["noop"]}');
    rmSync(join(place, 'opt/gwanje-agent/agent.js'));
    const other = await token();
    const before = await uses();
    expect(await sh(`curl -fsSL '${env.url}/install.sh?token=${other}' | sh`, { GWANJE_PREFIX: place })).toMatchObject({ code: 0, output: expect.stringContaining('enrolled already') });
    expect(await uses()).toEqual(before);
    expect(readFileSync(join(place, 'etc/gwanje/agent.env'), 'utf8')).toBe(settings);
    expect(readFileSync(join(place, 'etc/gwanje/policy.json'), 'utf8')).toBe('{"actions":["noop"]}');
    expect(existsSync(join(place, 'opt/gwanje-agent/agent.js'))).toBe(true);
  });

  it('shows neither token nor key in the arguments of a program', async () => {
    const { PATH, seen } = watched();
    const secret = await token();
    const place = folder();
    const { code, output } = await sh(`curl -fsSL '${env.url}/install.sh' | GWANJE_TOKEN=${secret} sh`, { PATH, GWANJE_PREFIX: place, GWANJE_NAME: 'quiet' });
    expect({ code, output }).toMatchObject({ code: 0 });
    expect(seen()).toContain('/api/enrol');
    expect(seen()).not.toMatch(/gwe_|sk_/);
    expect(output).not.toMatch(/gwe_|sk_/);
  });

  it('installs nothing and uses no token when what comes is not what was announced', async () => {
    const script = join(folder(), 'install.sh');
    const place = folder();
    writeFileSync(script, await fetched(`?token=${await token()}`));
    const before = await uses();
    appendFileSync(bundle, '\n// something else\n');
    const { code, output } = await sh(`sh '${script}'`, { GWANJE_PREFIX: place });
    copyFileSync(join(built, 'agent.js'), bundle);
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('is not the agent that was announced') });
    expect(readdirSync(join(place, 'opt/gwanje-agent'))).toEqual([]);
    expect(existsSync(join(place, 'etc/gwanje/agent.env'))).toBe(false);
    expect(await uses()).toEqual(before);
  });

  it('does nothing when it arrives in part', async () => {
    const script = join(folder(), 'install.sh');
    const place = folder();
    const whole = await fetched(`?token=${await token()}`);
    writeFileSync(script, whole.slice(0, whole.lastIndexOf('main "$@"')));
    await sh(`sh '${script}'`, { GWANJE_PREFIX: place });
    expect(readdirSync(place)).toEqual([]);
  });

  it.each([
    ['no token', '', 'there is no enrolment token'],
    ['an unknown token', '?token=gwe_unknown', 'unknown, used up, expired or revoked'],
  ])('says why it did not enrol with %s', async (_, query, reason) => {
    const place = folder();
    const { code, output } = await sh(`curl -fsSL '${env.url}/install.sh${query}' | sh`, { GWANJE_PREFIX: place });
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining(reason) });
    expect(existsSync(join(place, 'etc/gwanje/agent.env'))).toBe(false);
  });

  it('needs a Node that is new enough', async () => {
    const place = folder();
    const old = folder();
    // An older Node, as far as the script asks it.
    writeFileSync(join(old, 'node'), '#!/bin/sh\n[ "$1" = --version ] && echo v18.20.4\nexit 1\n');
    chmodSync(join(old, 'node'), 0o755);
    const PATH = old + delimiter + (process.env['PATH'] ?? '');
    const { code, output } = await sh(`curl -fsSL '${env.url}/install.sh?token=${await token()}' | sh`, { PATH, GWANJE_PREFIX: place });
    expect({ code, output }).toMatchObject({ code: 1, output: expect.stringContaining('Node.js is too old: v18.20.4') });
  });

  it('is told apart from what is no token or no address', async () => {
    const { body } = await request(env.url).get(`/install.sh?token=${encodeURIComponent("gwe_';reboot;'")}`).expect(400);
    expect(body).toMatchObject({ code: 'invalid_input', errors: [{ path: 'token' }] });
    const { body: host } = await request(env.url).get('/install.sh').set('Host', "x';reboot;'").expect(400);
    expect(JSON.stringify(host)).not.toContain('reboot');
    await request(env.url).get('/install.sh?tokens=x').expect(400);
  });

  it('has the bytes, their hash and the unit that is in deploy/', async () => {
    const { body: view } = await request(env.url).get('/api/agent/bundle.json').expect(200);
    const { body: bytes, headers } = await request(env.url).get('/api/agent/bundle').buffer().parse((answer, done) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => done(null, Buffer.concat(chunks)));
    }).expect(200);
    expect((bytes as Buffer).equals(readFileSync(join(built, 'agent.js')))).toBe(true);
    expect(view).toMatchObject({ size: (bytes as Buffer).length, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(headers['content-length']).toBe(String((bytes as Buffer).length));
    const script = await request(env.url).get('/install.sh').expect(200).expect('Content-Type', /text\/x-shellscript/).expect('Cache-Control', 'no-store');
    expect(script.text).toContain(readFileSync(join(ROOT, 'deploy/systemd/gwanje-agent.service'), 'utf8').trim());
    expect(script.text).toContain((view as { sha256: string }).sha256);
    expect(script.text).not.toMatch(/@[A-Z0-9_]+@/);
  });
});

describe('a server without the agent as one file', () => {
  it('says so', async () => {
    const env = await TestEnvironment.create({ AGENT_BUNDLE: join(folder(), 'agent.js') });
    try {
      for (const path of ['/install.sh', '/api/agent/bundle', '/api/agent/bundle.json']) {
        await request(env.url).get(path).expect(404).expect('Content-Type', /problem\+json/);
      }
    } finally {
      await env.destroy();
    }
  });
});
