import { MAX_ARTIFACT_BYTES } from '@gwanje/contracts';
import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { list, x as extract } from 'tar';
import { download } from './support/download';
import { eventually, TestEnvironment } from './support/environment';
import { machineNodeVersion } from './support/machine-node';
import { RealAgent } from './support/real-agent';

type Result = { success: boolean; data: Record<string, unknown> };

describe('the actions of a real agent', () => {
  let env: TestEnvironment;
  let agent: RealAgent;
  let clientId: string;

  beforeAll(async () => {
    env = await TestEnvironment.create();
    const client = await env.client('machine');
    clientId = client.id;
    const policy = { programs: ['sh', process.execPath], services: ['gwanje-test'] };
    agent = await new RealAgent({ serverUrl: env.url, clientKey: client.clientKey, policy }).start();
  });
  afterAll(async () => {
    await agent.destroy();
    await env.destroy();
  });

  /** Sends the command and waits for its end. */
  const send = async (action: string, payload: object, status = 'completed'): Promise<{ id: string; result: Result; errorMessage: string }> => {
    const id = await env.command(clientId, { action, payload });
    return (await env.reaches(id, status)) as never;
  };
  const file = (name: string): string => join(agent.folder, name);
  const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

  it('tells the server what it is and what its policy allows', async () => {
    const { body } = await env.get(`/api/clients/${clientId}`).expect(200);
    const actions = (body as { agent: { actions: { name: string }[] } }).agent.actions.map(({ name }) => name);
    expect(actions).toEqual(expect.arrayContaining(['collect_logs', 'file_get', 'file_put', 'restart_service', 'shell']));
    const { result } = await send('system_info', {});
    expect(result.data).toMatchObject({ platform: process.platform, nodeVersion: machineNodeVersion() });
  });

  it('streams the output of a program while it runs, and reports its exit code', async () => {
    const go = file('go');
    const script = `echo one; echo zwei >&2; while [ ! -e ${go} ]; do sleep 0.05; done; echo three; exit 7`;
    const id = await env.command(clientId, { action: 'shell', payload: { program: 'sh', args: ['-c', script] } });
    const output = async (stream: string): Promise<string> => {
      const { body } = await env.get(`/api/commands/${id}/output`).expect(200);
      return (body as { items: { stream: string; text: string }[] }).items.filter((item) => item.stream === stream).map(({ text }) => text).join('');
    };
    await eventually(async () => expect([await output('stdout'), await output('stderr')]).toEqual(['one\n', 'zwei\n']));
    expect((await env.get(`/api/commands/${id}`).expect(200)).body).toMatchObject({ status: 'running' });
    writeFileSync(go, '');
    const command = await env.reaches(id, 'failed');
    expect(command).toMatchObject({ errorMessage: 'sh ended with exit code 7', result: { success: false, data: { exitCode: 7 } } });
    expect(await output('stdout')).toBe('one\nthree\n');
  });

  it('keeps its key from the programs that it runs', async () => {
    const { result } = await send('shell', { program: 'sh', args: ['-c', 'env'] });
    expect(result.data['stdout']).not.toContain('sk_');
  });

  it.each([
    ['a program', 'shell', { program: 'ls' }, 'the program ls'],
    ['a service', 'restart_service', { service: 'ssh' }, 'the service ssh'],
    ['a path to read', 'file_get', { path: '/etc/passwd' }, 'the path /etc/passwd'],
    ['a path to write', 'file_put', { path: '/tmp/gwanje-outside', content: '' }, 'the path /tmp/gwanje-outside'],
    ['a path to collect', 'collect_logs', { paths: ['/etc'] }, 'the path /etc'],
    ['a shutdown', 'emergency_shutdown', {}, 'only a dry run'],
  ])('refuses %s that its policy does not name, and the server tells why', async (_, action, payload, reason) => {
    const { id, errorMessage } = await send(action, payload, 'failed');
    expect(errorMessage).toContain(`this machine's policy`);
    expect(errorMessage).toContain(reason);
    const { body } = await env.get(`/api/commands/${id}/logs`).expect(200);
    expect((body as { items: { eventType: string }[] }).items.map((item) => item.eventType)).toEqual(['created', 'dispatched', 'failed']);
  });

  it('writes a file and brings the same bytes back', async () => {
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, n) => n % 256));
    const payload = { path: file('in.bin'), content: bytes.toString('base64'), encoding: 'base64', mode: '640' };
    const told = { path: payload.path, size: bytes.length, sha256: sha256(bytes) };
    expect((await send('file_put', payload)).result.data).toEqual({ ...told, changed: true });
    expect(readFileSync(payload.path).equals(bytes)).toBe(true);
    expect(statSync(payload.path).mode & 0o777).toBe(0o640);
    expect((await send('file_put', payload)).result.data).toEqual({ ...told, changed: false });

    const { id, result } = await send('file_get', { path: payload.path });
    expect(result.data).toEqual({ ...told, artifactId: expect.any(String) });
    expect((await download(env, id, result.data['artifactId'])).equals(bytes)).toBe(true);
  });

  it('replaces a file only when told to', async () => {
    const payload = { path: file('kept.txt'), content: 'new 글' };
    writeFileSync(payload.path, 'old', { mode: 0o604 });
    expect((await send('file_put', payload, 'failed')).errorMessage).toContain('exists with another content');
    expect(readFileSync(payload.path, 'utf8')).toBe('old');
    await send('file_put', { ...payload, overwrite: true });
    expect(readFileSync(payload.path, 'utf8')).toBe('new 글');
    expect(statSync(payload.path).mode & 0o777).toBe(0o604);
  });

  it('says what is wrong with a file', async () => {
    writeFileSync(file('three'), '123');
    mkdirSync(file('folder'), { recursive: true });
    symlinkSync('/etc', file('way-out'));
    const fault = async (action: string, payload: object): Promise<string> => (await send(action, payload, 'failed')).errorMessage;
    expect(await fault('file_get', { path: agent.folder })).toContain('is a folder');
    expect(await fault('file_get', { path: file('three'), maxBytes: 2 })).toContain('has more than 2 bytes');
    expect(await fault('file_get', { path: file('nothing') })).toContain('ENOENT');
    expect(await fault('file_put', { path: file('folder'), content: '' })).toContain('not a regular file');
    expect(await fault('file_put', { path: file('way-out/gwanje-outside'), content: '' })).toContain('the path');
    expect(await fault('file_put', { path: file('b'), content: 'n0t base64!', encoding: 'base64' })).toContain('not base64');
    expect(existsSync(file('b'))).toBe(false);
  });

  it('packs logs, leaves out what it must, and says so', async () => {
    const logs = file('logs');
    const deep = join(logs, 'a-name-of-some-length'.repeat(6), 'deep.log');
    mkdirSync(join(deep, '..'), { recursive: true });
    writeFileSync(join(logs, 'app.log'), 'one\ntwo\n');
    writeFileSync(deep, 'x'.repeat(100_000));
    writeFileSync(join(logs, 'huge.log'), 'y'.repeat(300_000));
    symlinkSync('/etc/passwd', join(logs, 'passwd'));
    const { id, result } = await send('collect_logs', { paths: [logs, file('gone.log')], maxBytes: 200_000 });
    expect(result.data).toMatchObject({ files: 2, skippedCount: 3 });
    expect((result.data['skipped'] as { path: string; reason: string }[]).sort((a, b) => (a.path < b.path ? -1 : 1))).toEqual([
      { path: file('gone.log'), reason: expect.stringContaining('ENOENT') },
      { path: join(logs, 'huge.log'), reason: expect.stringContaining('has more than') },
      { path: join(logs, 'passwd'), reason: 'a symbolic link' },
    ]);
    const bytes = await download(env, id, result.data['artifactId']);
    expect([bytes.length, sha256(bytes)]).toEqual([result.data['size'], result.data['sha256']]);
    const archive = file('logs.tar.gz');
    const unpacked = file('unpacked');
    mkdirSync(unpacked);
    writeFileSync(archive, bytes);
    await list({ file: archive, strict: true });
    await extract({ file: archive, cwd: unpacked, strict: true });
    expect(readFileSync(join(unpacked, logs, 'app.log'), 'utf8')).toBe('one\ntwo\n');
    expect(readFileSync(join(unpacked, deep), 'utf8')).toBe('x'.repeat(100_000));
  });

  it('packs logs that grow, shrink and vanish meanwhile', async () => {
    const logs = file('moving');
    mkdirSync(logs);
    const script = `cd ${logs}; mkfifo pipe; while :; do seq 20000 >> grow; seq 99999 > shrink; : > shrink; seq 9 > "gone$$"; rm "gone$$"; done`;
    const writer = await env.command(clientId, { action: 'shell', payload: { program: 'sh', args: ['-c', script] } });
    await eventually(() => expect(existsSync(join(logs, 'grow'))).toBe(true));
    for (let round = 0; round < 5; round++) {
      const { id, result } = await send('collect_logs', { paths: [logs] });
      expect(result.data['skipped']).toContainEqual({ path: join(logs, 'pipe'), reason: 'not a regular file' });
      const archive = file(`moving-${round}.tar.gz`);
      writeFileSync(archive, await download(env, id, result.data['artifactId']));
      const names: string[] = [];
      await list({ file: archive, strict: true, onReadEntry: (entry) => names.push(entry.path) });
      expect(names).toHaveLength(result.data['files'] as number);
      expect(names).toContain(join(logs, 'grow').slice(1));
    }
    await env.post(`/api/commands/${writer}/cancel`).expect(200);
    await env.reaches(writer, 'cancelled');
  });

  it('brings a file as big as the server takes, and refuses a bigger one', async () => {
    const path = file('big');
    writeFileSync(path, Buffer.alloc(MAX_ARTIFACT_BYTES, 'gwanje'));
    const { id, result } = await send('file_get', { path });
    expect(sha256(await download(env, id, result.data['artifactId']))).toBe(sha256(readFileSync(path)));
    appendFileSync(path, '!');
    expect((await send('file_get', { path }, 'failed')).errorMessage).toContain(`has more than ${MAX_ARTIFACT_BYTES} bytes`);
  });

  it('reports what the service manager says, or that there is none', async () => {
    const { errorMessage } = await send('restart_service', { service: 'gwanje-test' }, 'failed');
    expect(errorMessage).toMatch(existsSync('/run/systemd/system') ? /gwanje-test/ : /does not run systemd/);
  });

  it('answers an emergency while all slots are busy', async () => {
    const busy = await Promise.all([1, 2, 3, 4].map(() => env.command(clientId, { payload: { delayMs: 600_000 } })));
    await Promise.all(busy.map((id) => env.reaches(id, 'running')));
    const payload = { dryRun: true, delaySeconds: 90, reason: 'smoke' };
    const id = await env.command(clientId, { action: 'emergency_shutdown', payload, priority: 10 });
    expect((await env.reaches(id, 'completed'))['result']).toMatchObject({
      data: { dryRun: true, command: ['shutdown', '-h', '+2', 'smoke'], delaySeconds: 120 },
    });
    for (const one of busy) await env.post(`/api/commands/${one}/cancel`).expect(200);
    await Promise.all(busy.map((one) => env.reaches(one, 'cancelled')));
  });

  it('kills the whole process tree of a cancelled command, and says so', async () => {
    const pids = file('pids');
    // A child that is deaf to SIGTERM, and a grandchild in a session of its own.
    const script = `(trap '' TERM; sh -c 'echo $PPID >> ${pids}'; while :; do sleep 0.1; done) & setsid sh -c 'echo $$ >> ${pids}; sleep 600' & wait`;
    const id = await env.command(clientId, { action: 'shell', payload: { program: 'sh', args: ['-c', script] } });
    const started = (): number[] => (existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n').map(Number) : []);
    await eventually(() => expect(started()).toHaveLength(2));
    await env.post(`/api/commands/${id}/cancel`).expect(200);
    const command = await env.reaches(id, 'cancelled');
    expect(command).toMatchObject({ errorMessage: 'cancelled', result: { success: false, data: { killed: true } } });
    expect(started().filter(lives)).toEqual([]);
  });
});

/** A zombie does nothing more. */
function lives(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
