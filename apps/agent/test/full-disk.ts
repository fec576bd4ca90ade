import type { CommandFrame, ResultReport } from '@gwanje/contracts';
import { Logger } from '@nestjs/common';
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { AgentConfig } from '../src/config';
import { Journal } from '../src/journal/journal';
import { wait } from '../src/waiting';

/** `full-disk.ts <scenario> <folder>`: what a journal does while no file of its process may grow. A process of its own, because the limit is for all of it. */
const [scenario = '', dataDir = ''] = process.argv.slice(-2);
const frame = (attempt: number): CommandFrame => ({
  id: 'c1',
  action: 'noop',
  payload: {},
  priority: 5,
  attempt,
  timeoutMs: 1000,
});
const result = (bytes: number): ResultReport => ({ attempt: 1, success: true, data: 'x'.repeat(bytes) });
const MORE_THAN_ITS_RESERVE = 12 * 2 ** 20;

let complaints = 0;
Logger.overrideLogger({ log: () => undefined, warn: () => undefined, error: () => complaints++ });

/** Resolves when it has been tried twice. */
async function finishWithoutRoom(journal: Journal): Promise<{ finished: Promise<boolean> }> {
  await journal.received(frame(1));
  const finished = journal.finished(frame(1), result(MORE_THAN_ITS_RESERVE));
  while (complaints < 2) await wait(10);
  return { finished };
}

/** Half a page beyond its size: a commit that needs more fails as on a full disk, by a short write. */
function fillDisk(): void {
  limitFiles(statSync(join(dataDir, 'journal.mdb')).size + 2_048);
}

function limitFiles(bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${bytes}:unlimited`]);
}

const SCENARIOS: Record<string, (journal: Journal) => Promise<unknown>> = {
  'within its reserve': async (journal) => {
    for (let attempt = 1; attempt <= 20; attempt++) {
      await journal.received(frame(attempt));
      await journal.started(frame(attempt));
      await journal.finished(frame(attempt), result(2 ** 20));
    }
  },
  'room comes': async (journal) => {
    const { finished } = await finishWithoutRoom(journal);
    limitFiles('unlimited');
    return finished;
  },
  'more comes': async (journal) => {
    const { finished } = await finishWithoutRoom(journal);
    await journal.remove(frame(1));
    await journal.received(frame(2));
    limitFiles('unlimited');
    return finished;
  },
  'the agent stops': async (journal) => {
    const { finished } = await finishWithoutRoom(journal);
    journal.stopWaiting();
    return finished.catch(() => 'rejected');
  },
};

async function main(): Promise<void> {
  const journal = new Journal({ dataDir } as AgentConfig);
  // As an agent does before its first command. What one transaction frees, the second after it writes over.
  await journal.nextSession();
  fillDisk();
  const answer = await SCENARIOS[scenario]?.(journal);
  await journal.close();
  process.send?.({ answer, complaints });
}

void main();
