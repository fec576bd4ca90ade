import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HandlerContext } from './handler';
import { PrintHandler } from './print.handler';

describe('PrintHandler', () => {
  const { PATH } = process.env;
  let programs: string;
  beforeEach(() => (process.env['PATH'] = programs = mkdtempSync(join(tmpdir(), 'gwanje-spooler-'))));
  afterEach(() => {
    process.env['PATH'] = PATH;
    rmSync(programs, { recursive: true, force: true });
  });

  it('calls a document that was spooled, and cannot be followed, not failed: it would be printed again', async () => {
    writeFileSync(join(programs, 'lp'), '#!/bin/sh\necho "request id is office-12 (1 file(s))"\n');
    chmodSync(join(programs, 'lp'), 0o755);
    const progress = jest.fn();
    const context = {
      frame: { id: 'c-1', payload: { filePath: '/a.pdf' } },
      signal: new AbortController().signal,
      progress,
    } as unknown as HandlerContext;
    // There is no lpstat.
    expect(await new PrintHandler('linux').run(context)).toEqual({
      success: true,
      data: { jobId: 'office-12', state: 'unknown' },
    });
    expect(progress).toHaveBeenCalledWith({ message: 'spooled as office-12' });
  });

  it.each([
    ['printed', { success: true, data: { jobId: 'office-12', state: 'completed' } }],
    ['cancelled', 'aborted'],
  ])('says of a document that is cancelled what became of it: %s', async (became, said) => {
    // Open until somebody cancels it; then it was printed in the same moment, or not.
    let state = 5;
    const ending = new AbortController();
    const spooler = createServer((call, answer) => {
      if (call.method === 'POST') ending.abort(new Error('aborted'));
      else state = became === 'printed' ? 9 : 7;
      answer.end(
        Buffer.concat([
          Buffer.from([2, 0, 0, 0, 0, 0, 0, 1, 0x23, 0, 9]),
          Buffer.from('job-state'),
          Buffer.from([0, 4, 0, 0, 0, state]),
        ]),
      );
    });
    await new Promise<void>((resolve) => spooler.listen(0, '127.0.0.1', resolve));
    const at = `127.0.0.1:${(spooler.address() as AddressInfo).port}`;
    const cancel = `require('http').request('http://${at}', { method: 'DELETE' }, (a) => a.resume()).end()`;
    const scripts = {
      lp: 'echo "request id is office-12 (1 file(s))"',
      lpstat: `echo ${at}`,
      cancel: `"${process.execPath}" -e "${cancel}"`,
    };
    for (const [name, line] of Object.entries(scripts))
      writeFileSync(join(programs, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
    const frame = { id: 'c-1', payload: { filePath: '/a.pdf' } };
    const context = { frame, signal: ending.signal, progress: () => undefined } as unknown as HandlerContext;
    const end = await new PrintHandler('linux').run(context).catch((error: Error) => error.message);
    expect(end).toEqual(said);
    await new Promise((resolve) => spooler.close(resolve));
  });
});
