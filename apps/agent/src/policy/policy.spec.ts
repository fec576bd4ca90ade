import { ACTIONS } from '@gwanje/contracts';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../config';
import { Policy } from './policy';

describe('Policy', () => {
  it('without a file allows what only reads, and no more than a dry run of a shutdown', () => {
    const policy = Policy.load();
    const off = ['file_put', 'restart_service', 'shell'];
    expect(policy.allowedActions()).toEqual(Object.keys(ACTIONS).filter((action) => !off.includes(action)));
    expect(policy.refusal('emergency_shutdown', {})).toContain('dry run');
    expect(policy.refusal('emergency_shutdown', { dryRun: true })).toBeUndefined();
    expect(policy.refusal('shell', { program: 'ls' })).toContain('shell');
    expect(policy.refusal('noop', {})).toBeUndefined();
  });

  it('allows listed programs only, and no relative paths', () => {
    const policy = new Policy({ programs: ['ls', './ls'] });
    expect(policy.refusal('shell', { program: 'ls' })).toBeUndefined();
    expect(policy.refusal('shell', { program: 'rm' })).toContain('rm');
    expect(policy.refusal('shell', { program: './ls' })).toContain('absolute');
    expect(new Policy({ actions: ['noop'], programs: ['ls'] }).refusal('shell', { program: 'ls' })).toContain('shell');
  });

  it('keeps files in its folders, also behind dots and links', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-policy-'));
    symlinkSync('/etc/passwd', join(folder, 'link'));
    writeFileSync(join(folder, '..a'), '');
    const policy = new Policy({ paths: [folder] });
    expect(policy.refusal('print', { filePath: join(folder, '..a') })).toBeUndefined();
    expect(policy.refusal('print', { filePath: join(folder, 'link') })).toContain('path');
    expect(policy.refusal('print', { file: `${folder}/../x` })).toContain('path');
    expect(policy.refusal('print', { filePath: `${folder}x` })).toContain('path');
  });

  it('keeps files that do not exist yet in its folders, and commands off its own', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-policy-'));
    symlinkSync('/etc', join(folder, 'link'));
    mkdirSync(join(folder, 'data'));
    const file = join(folder, 'p.json');
    writeFileSync(file, JSON.stringify({ paths: [folder] }));
    const policy = Policy.load(file, [file, join(folder, 'data')]);
    expect(policy.refusal('file_put', { path: join(folder, 'new/file') })).toBeUndefined();
    expect(policy.refusal('file_put', { path: join(folder, 'link/new') })).toContain('path');
    expect(policy.refusal('file_put', { path: file })).toContain('path');
    expect(policy.refusal('collect_logs', { paths: [folder, join(folder, 'data/journal.mdb')] })).toContain('path');
  });

  it('keeps commands off what shows its key, unless the owner names the place', () => {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-policy-'));
    const file = join(folder, 'agent.env');
    symlinkSync('/proc/self/environ', join(folder, 'link'));
    const env = { SERVER_URL: 'http://127.0.0.1', CLIENT_KEY: 'sk_a_b', AGENT_DATA_DIR: folder, AGENT_UPDATE_KEY: '/srv/update.pem' };
    const { ownPaths } = readConfig(env, ['--enable-source-maps', `--env-file=${file}`, '--env-file', '/srv/more.env']);
    const isClosed = (policy: Policy, path: string): boolean => policy.refusal('file_get', { path }) !== undefined;
    const policy = Policy.load(undefined, ownPaths);
    const closed = [file, '/srv/more.env', '/srv/update.pem', '/proc/self/environ', `/proc/${process.ppid}/environ`, join(folder, 'link')];
    for (const path of closed) expect([path, isClosed(policy, path)]).toEqual([path, true]);
    expect(isClosed(policy, '/etc/hostname')).toBe(false);
    expect(isClosed(new Policy({ paths: ['/'] }), '/proc/self/environ')).toBe(true);
    expect(isClosed(new Policy({ paths: ['/proc/sys', '/etc'] }), '/proc/sys/kernel/ostype')).toBe(false);
    expect(isClosed(new Policy({ paths: ['/proc/sys', '/etc'] }), '/proc/self/environ')).toBe(true);
  });

  it('restarts listed services and shuts down only where it says so', () => {
    const policy = new Policy({ services: ['nginx'], emergencyShutdown: 'allow' });
    expect(policy.refusal('restart_service', { service: 'nginx' })).toBeUndefined();
    expect(policy.refusal('restart_service', { service: 'ssh' })).toContain('ssh');
    expect(policy.refusal('emergency_shutdown', {})).toBeUndefined();
    expect(new Policy({ emergencyShutdown: 'dry-run' }).refusal('emergency_shutdown', {})).toContain('dry run');
  });

  it('stops at a file that it does not understand', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'gwanje-policy-')), 'p.json');
    writeFileSync(file, '{"program":["ls"]}');
    expect(() => Policy.load(file)).toThrow('is wrong');
    expect(() => Policy.load(`${file}x`)).toThrow('cannot be read');
  });
});
