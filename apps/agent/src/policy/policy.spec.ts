import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Policy } from './policy';

describe('Policy', () => {
  it('without a file allows every action but shell', () => {
    const policy = Policy.load();
    expect(policy.allowedActions()).toEqual(['noop', 'print', 'screenshot', 'system_info']);
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

  it('stops at a file that it does not understand', () => {
    const file = join(mkdtempSync(join(tmpdir(), 'gwanje-policy-')), 'p.json');
    writeFileSync(file, '{"program":["ls"]}');
    expect(() => Policy.load(file)).toThrow('is wrong');
    expect(() => Policy.load(`${file}x`)).toThrow('cannot be read');
  });
});
