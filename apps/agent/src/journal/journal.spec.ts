import type { CommandFrame } from '@gwanje/contracts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentConfig } from '../config';
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
});
