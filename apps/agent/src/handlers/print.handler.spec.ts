import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
});
