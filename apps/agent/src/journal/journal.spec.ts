import type { CommandFrame } from '@gwanje/contracts';
import { Logger } from '@nestjs/common';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentConfig } from '../config';
import { wait } from '../waiting';
import { lockFolder } from './folder-lock';
import { Journal } from './journal';

const frame = (attempt = 1): CommandFrame => ({
  id: 'c1',
  action: 'noop',
  payload: {},
  priority: 5,
  attempt,
  timeoutMs: 1000,
});

describe('lockFolder', () => {
  it('lets one agent have a folder', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gwanje-lock-'));
    await lockFolder(folder);
    await expect(lockFolder(`${folder}/.`, 0)).rejects.toThrow('another agent');
    await lockFolder(join(folder, 'other'));
  });
});

describe('Journal', () => {
  let config: AgentConfig;
  let journal: Journal;
  const reopen = async (): Promise<void> => {
    await journal.close();
    journal = new Journal(config);
  };

  beforeEach(() => {
    const dataDir = mkdtempSync(join(tmpdir(), 'gwanje-journal-'));
    const link = {
      serverUrl: 'http://localhost',
      clientKey: 'sk_a_b',
      transport: 'sse' as const,
      silenceMs: 1000,
      aliveEveryMs: 1000,
    };
    config = { ...link, dataDir, ownPaths: [], concurrency: 1 };
    journal = new Journal(config);
  });
  afterEach(async () => {
    await journal.close();
    rmSync(config.dataDir, { recursive: true });
  });

  it('keeps each step through a restart', async () => {
    expect(await journal.received(frame())).toBe(true);
    await reopen();
    expect(journal.inFlight()).toEqual([{ id: 'c1', attempt: 1, state: 'received' }]);
    await journal.started(frame());
    await reopen();
    expect(journal.get('c1')?.state).toBe('started');
    await journal.finished(frame(), { success: true, data: { a: [1] } });
    await reopen();
    expect(journal.get('c1')).toEqual({
      frame: frame(),
      state: 'finished',
      result: { success: true, data: { a: [1] } },
    });
    await journal.remove(frame());
    await reopen();
    expect(journal.all()).toEqual([]);
  });

  it('takes an attempt once, and a later one over a finished one only', async () => {
    await journal.received(frame());
    expect(await journal.received(frame())).toBe(false);
    await journal.started(frame());
    expect(await journal.received(frame(2))).toBe(false);
    await journal.finished(frame(), { success: true });
    expect(await journal.received(frame(2))).toBe(true);
    await journal.remove(frame(1));
    expect(await journal.finished(frame(1), { success: true })).toBe(false);
    expect(journal.inFlight()).toEqual([{ id: 'c1', attempt: 2, state: 'received' }]);
  });

  describe('on a full disk', () => {
    const file = (): string => join(config.dataDir, 'journal.mdb');
    /** No file of this process may grow beyond it. */
    const limit = (bytes: number | 'unlimited'): void =>
      void execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${bytes}:unlimited`]);
    const moreThanItsReserve = { success: true, data: 'x'.repeat(12 * 2 ** 20) };
    let complaints: jest.SpyInstance;
    const complained = async (times: number): Promise<void> => {
      while (complaints.mock.calls.length < times) await wait(10);
    };
    const heard = (): void => undefined;

    // What Jest brings along ends the process by this signal unless somebody hears it.
    beforeAll(() => process.on('SIGXFSZ', heard));
    afterAll(() => process.off('SIGXFSZ', heard));
    beforeEach(async () => {
      // As an agent does before its first command. What one transaction frees, the second after it writes over.
      await journal.nextSession();
      complaints = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
      // lmdb itself writes there.
      jest.spyOn(console, 'error').mockImplementation(() => undefined);
    });
    afterEach(() => {
      limit('unlimited');
      jest.restoreAllMocks();
    });

    it('works on within its reserve', async () => {
      limit(statSync(file()).size);
      for (let attempt = 1; attempt <= 20; attempt++) {
        await journal.received(frame(attempt));
        await journal.started(frame(attempt));
        await journal.finished(frame(attempt), { success: true, data: 'x'.repeat(2 ** 20) });
      }
      await reopen();
      expect(journal.get('c1')?.frame.attempt).toBe(20);
      expect(complaints).not.toHaveBeenCalled();
    });

    it('waits for room', async () => {
      limit(statSync(file()).size + 2_048);
      await journal.received(frame());
      const finished = journal.finished(frame(), moreThanItsReserve);
      await complained(2);
      limit('unlimited');
      expect(await finished).toBe(true);
      await reopen();
      expect(journal.get('c1')).toMatchObject({ state: 'finished', result: moreThanItsReserve });
    });

    it('does not undo by what has waited what came after it', async () => {
      limit(statSync(file()).size + 2_048);
      await journal.received(frame());
      const finished = journal.finished(frame(), moreThanItsReserve);
      await complained(1);
      await journal.remove(frame());
      await journal.received(frame(2));
      limit('unlimited');
      expect(await finished).toBe(true);
      await reopen();
      expect(journal.all()).toEqual([{ frame: frame(2), state: 'received' }]);
    });

    it('waits no longer once the agent stops', async () => {
      limit(statSync(file()).size + 2_048);
      await journal.received(frame());
      const finished = journal.finished(frame(), moreThanItsReserve);
      await complained(1);
      journal.stopWaiting();
      await expect(finished).rejects.toThrow('aborted');
      await reopen();
      expect(journal.get('c1')?.state).toBe('received');
    });
  });
});
