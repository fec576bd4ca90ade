import type { CommandFrame } from '@gwanje/contracts';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { AgentConfig } from '../config';
import { lockFolder } from './folder-lock';
import { Journal } from './journal';

const ROOT = resolve(__dirname, '../../../..');

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
    const run = async (scenario: string): Promise<{ answer?: unknown; complaints: number }> => {
      await journal.close();
      const program = [join(ROOT, 'apps/agent/test/full-disk.ts'), scenario, config.dataDir];
      const child = fork(join(ROOT, 'tools/jest/run-from-source.cjs'), program, {
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      const [said] = (await once(child, 'message')) as [{ answer?: unknown; complaints: number }];
      if (child.exitCode === null) await once(child, 'exit');
      journal = new Journal(config);
      return said;
    };

    it('works on within its reserve', async () => {
      expect(await run('within its reserve')).toEqual({ complaints: 0 });
      expect(journal.inFlight()).toEqual([{ id: 'c1', attempt: 20, state: 'finished' }]);
    });

    it('waits for room', async () => {
      expect(await run('room comes')).toMatchObject({ answer: true });
      expect(journal.get('c1')?.result?.data).toHaveLength(12 * 2 ** 20);
    });

    it('does not undo by what has waited what came after it', async () => {
      expect(await run('more comes')).toMatchObject({ answer: true });
      expect(journal.inFlight()).toEqual([{ id: 'c1', attempt: 2, state: 'received' }]);
    });

    it('waits no longer once the agent stops', async () => {
      expect(await run('the agent stops')).toMatchObject({ answer: 'rejected' });
      expect(journal.inFlight()).toEqual([{ id: 'c1', attempt: 1, state: 'received' }]);
    });
  });
});
