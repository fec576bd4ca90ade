import { defaultLogPaths } from './collect-logs.handler';
import { shutdownCommand } from './emergency-shutdown.handler';
import { jobNumber, printCommand, requestId } from './print.handler';
import { restartCommand, serviceState, stateCommand } from './restart-service.handler';
import { screenshotCommand } from './screenshot.handler';
import { readJobState } from './spooler';

describe('printCommand', () => {
  it.each(['linux', 'darwin'] as const)('uses lp on %s', (platform) => {
    const payload = { filePath: '-x.pdf', printer: 'HP', copies: 2, options: { duplex: true } };
    const args = ['-n', '2', '-o', 'sides=two-sided-long-edge', '-d', 'HP', '--', '-x.pdf'];
    expect(printCommand(platform, payload)).toEqual({ file: 'lp', args });
    expect(printCommand(platform, { file: '/a' })).toEqual({ file: 'lp', args: ['-n', '1', '--', '/a'] });
  });

  it('uses PowerShell on Windows, with literals that cannot end early', () => {
    const { file, args } = printCommand('win32', { filePath: "C:\\it's\u2019.pdf", printer: 'HP' });
    expect(file).toBe('powershell.exe');
    expect(args.at(-1)).toContain("-FilePath 'C:\\it''s\u2019\u2019.pdf' -Verb PrintTo -ArgumentList '\"HP\"'");
    expect(printCommand('win32', { file: 'a', copies: 3 }).args.at(-1)).toContain('1..3 | ForEach-Object');
  });

  it('reads what the spooler says', () => {
    expect(requestId('request id is HP-12 (1 file(s))\n')).toBe('HP-12');
    expect(requestId('')).toBeUndefined();
    expect(jobNumber('HP-2-12')).toBe(12);
    const answer = (status: number, state: number): Buffer =>
      Buffer.concat([
        Buffer.from([2, 0, status >> 8, status & 255, 0, 0, 0, 1, 2, 0x23, 0, 9]),
        Buffer.from('job-state'),
        Buffer.from([0, 4, 0, 0, 0, state, 3]),
      ]);
    expect([3, 5, 7, 8, 9].map((state) => readJobState(answer(0, state)))).toEqual([
      undefined,
      undefined,
      'canceled',
      'aborted',
      'completed',
    ]);
    expect(readJobState(answer(0x0406, 9))).toBe('unknown');
    expect(readJobState(Buffer.from('not found'))).toBe('unknown');
  });
});

describe('screenshotCommand', () => {
  it('knows the three platforms', () => {
    expect(screenshotCommand('linux', '/t/a.png')).toEqual([
      { file: 'scrot', args: ['-o', '/t/a.png'] },
      { file: 'import', args: ['-window', 'root', '/t/a.png'] },
    ]);
    expect(screenshotCommand('darwin', '/t/a.png')).toEqual([{ file: 'screencapture', args: ['-x', '/t/a.png'] }]);
    expect(screenshotCommand('win32', 'C:\\a.png')[0]?.args.at(-1)).toContain("$i.Save('C:\\a.png'");
  });
});

describe('restartCommand', () => {
  it('asks the service manager of the platform', () => {
    expect(restartCommand('linux', 'nginx')).toEqual({ file: 'systemctl', args: ['restart', '--', 'nginx'] });
    expect(stateCommand('linux', 'nginx')).toEqual({ file: 'systemctl', args: ['is-active', '--', 'nginx'] });
    expect(restartCommand('darwin', 'com.a.b').args).toEqual(['kickstart', '-k', 'system/com.a.b']);
    expect(stateCommand('darwin', 'com.a.b').args).toEqual(['print', 'system/com.a.b']);
    expect(restartCommand('win32', 'Spooler').args.at(-1)).toContain("Restart-Service -Name 'Spooler' -Force");
    expect(stateCommand('win32', 'Spooler').args.at(-1)).toContain("(Get-Service -Name 'Spooler').Status");
  });

  it('reads the state in the words of each', () => {
    expect(serviceState('linux', 'active\n')).toBe('active');
    expect(serviceState('darwin', 'system/com.a.b = {\n\tactive count = 1\n\tstate = running\n}')).toBe('running');
    expect(serviceState('win32', 'Running\r\n')).toBe('running');
    expect(serviceState('linux', '')).toBe('unknown');
  });
});

describe('shutdownCommand', () => {
  it('leaves time for the result on every platform', () => {
    expect(shutdownCommand('linux', {})).toEqual({ file: 'shutdown', args: ['-h', '+1'], delaySeconds: 60 });
    expect(shutdownCommand('darwin', { delaySeconds: 61 })).toEqual({
      file: 'shutdown',
      args: ['-h', '+2'],
      delaySeconds: 120,
    });
    expect(shutdownCommand('linux', { reason: 'fire; rm -rf /' }).args).toEqual(['-h', '+1', 'fire; rm -rf /']);
    const args = ['/s', '/t', '10', '/c', 'fire'];
    expect(shutdownCommand('win32', { reason: 'fire' })).toEqual({ file: 'shutdown.exe', args, delaySeconds: 10 });
    expect(shutdownCommand('win32', { delaySeconds: 30 }).args).toEqual(['/s', '/t', '30']);
  });
});

describe('defaultLogPaths', () => {
  it('knows the three platforms', () => {
    expect(defaultLogPaths('linux')).toEqual(['/var/log']);
    expect(defaultLogPaths('darwin', '/Users/a')).toContain('/Users/a/Library/Logs');
    expect(defaultLogPaths('win32')).toContain('C:\\Windows\\Logs');
  });
});
