import { lists, printCommand, requestId } from './print.handler';
import { screenshotCommand } from './screenshot.handler';

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
    expect(lists('HP-123 me 1024 Mon\n', 'HP-12')).toBe(false);
    expect(lists('HP-12 me 1024 Mon\n', 'HP-12')).toBe(true);
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
