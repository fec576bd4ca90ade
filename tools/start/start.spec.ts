import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Policy } from '../../apps/agent/src/policy/policy';
import { writeFirstPolicy } from './agent';
import { ROOT } from './folder';
import { howToGoOn, quoted } from './guide';
import { announceEnd, takeLock } from './lock';
import { checkSettings } from './preflight';
import { SERVER } from './server-program';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'gwanje start-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('checkSettings', () => {
  it('asks for nothing that the launcher provides', async () => {
    await expect(checkSettings({})).resolves.toBeUndefined();
    await expect(checkSettings({ DATABASE_URL: '', REDIS_URL: '', ADMIN_PASSWORD: '' })).resolves.toBeUndefined();
  });

  it.each([
    [{ ADMIN_PASSWORD: 'short' }, /ADMIN_PASSWORD must have at least 12 characters/],
    [{ ADMIN_PASSWORD: 'password1234' }, /ADMIN_PASSWORD: is one of the passwords that are tried first/],
    [{ DATABASE_URL: 'mysql://somewhere' }, /DATABASE_URL must be a postgresql:\/\/ address/],
    [{ DATABASE_URL: 'postgresql://me:secret@127.0.0.1:1/x' }, /DATABASE_URL \(127\.0\.0\.1:1\/x\): .*ECONNREFUSED/],
    [{ REDIS_URL: 'redis://:secret@127.0.0.1:1' }, /no Redis can be used at 127\.0\.0\.1:1: .*ECONNREFUSED/],
    [{ REDIS_HOST: '127.0.0.1', REDIS_PORT: '1' }, /no Redis can be used at 127\.0\.0\.1:1: .*ECONNREFUSED/],
  ])('says what is wrong with %j', async (env, message) => {
    const fault = await checkSettings(env).catch((error: Error) => error);
    expect(fault).toBeInstanceOf(Error);
    expect((fault as Error).message).toMatch(message);
    expect((fault as Error).message).not.toContain('secret');
  });
});

describe('takeLock', () => {
  it('takes over from a process that is no launcher any more, whatever the file says', () => {
    const file = join(folder, 'lock');
    expect(takeLock(file, '3000')).toBeNull();
    expect(readFileSync(file, 'utf8')).toBe(`${process.pid} 3000\n`);
    for (const left of ['', 'nonsense', `${process.ppid} 3000`, '999999999 3000']) {
      writeFileSync(file, left);
      expect(takeLock(file)).toBeNull();
    }
    announceEnd(file);
    expect(readFileSync(file, 'utf8')).toBe(`${process.pid} - stopping\n`);
  });
});

describe('writeFirstPolicy', () => {
  it('is a policy that the agent reads, and keeps files in one folder', () => {
    const [file, files] = [join(folder, 'policy.json'), join(folder, 'files')];
    writeFirstPolicy(file, files);
    expect(statSync(file).mode & 0o077).toBe(0);
    const policy = Policy.load(file, [join(folder, 'agent')]);
    expect(policy.allowedActions()).toEqual(expect.arrayContaining(['shell', 'file_put', 'file_get', 'collect_logs']));
    expect(policy.allowedActions()).not.toContain('restart_service');
    expect(policy.refusal('file_put', { path: join(files, 'new') })).toBeUndefined();
    expect(policy.refusal('file_put', { path: join(folder, 'token') })).toContain('path');
    expect(policy.refusal('shell', { program: 'uname' })).toBeUndefined();
    expect(policy.refusal('shell', { program: 'sh' })).toContain('program');
    expect(policy.refusal('emergency_shutdown', {})).toContain('dry run');
  });

  it('leaves the file of its owner alone', () => {
    const file = join(folder, 'policy.json');
    writeFileSync(file, '{"actions":["noop"]}');
    writeFirstPolicy(file, join(folder, 'files'));
    expect(readFileSync(file, 'utf8')).toBe('{"actions":["noop"]}');
  });
});

describe('howToGoOn', () => {
  const installation = {
    url: 'http://localhost:3000',
    email: 'me@example.com',
    folder: '/data',
    passwordFile: '/data/p',
  };

  it('shows a new password, and afterwards only where it is', () => {
    expect(howToGoOn({ ...installation, newPassword: 'new', tokenFile: '/t' })).toContain('with the password new ');
    const again = howToGoOn({ ...installation, newPassword: null, tokenFile: '/t' });
    expect(again).toContain('kept in /data/p');
  });

  it('promises no way in that it does not know', () => {
    const text = howToGoOn({ ...installation, newPassword: null, tokenFile: null });
    expect(text).not.toMatch(/password|curl/);
  });

  it('quotes any path for a shell', () => {
    const odd = join(folder, `it's "$HOME" \`x\``);
    mkdirSync(odd);
    writeFileSync(join(odd, 'token'), 'gwj_abc\n');
    expect(execFileSync('sh', ['-c', `cat ${quoted(join(odd, 'token'))}`], { encoding: 'utf8' })).toBe('gwj_abc\n');
  });
});

describe('the server', () => {
  it('is run with the same flags wherever it is deployed', () => {
    const command = ['node', ...SERVER.flags, relative(ROOT, SERVER.file)];
    const read = (name: string): string => readFileSync(join(ROOT, 'deploy', name), 'utf8');
    expect(read('systemd/gwanje.service')).toContain(`ExecStart=/opt/gwanje/node_modules/.bin/${command.join(' ')}\n`);
    expect(read('docker/server.Dockerfile')).toContain(`CMD ${JSON.stringify(command).replaceAll(',', ', ')}\n`);
  });
});
