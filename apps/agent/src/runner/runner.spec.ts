import type { CommandFrame, ResultReport } from '@gwanje/contracts';
import { Tracing } from '@gwanje/tracing';
import { Logger } from '@nestjs/common';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Handler, HandlerContext, HandlerResult } from '../handlers/handler';
import { HandlerRegistry } from '../handlers/handler-registry';
import { Journal } from '../journal/journal';
import { ApiClient } from '../link/api-client';
import { Connections } from '../link/connections';
import { WebSocketLink } from '../link/web-socket';
import { Policy } from '../policy/policy';
import { PayloadCheck } from './payload-check';
import { ResultPoster } from './result-poster';
import { Runner } from './runner';

/** Tries the expectation again until it holds, for at most ten seconds: fsync takes as long as the disk likes. */
async function until(check: () => void): Promise<void> {
  for (const end = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 10))) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
const frame = (id: string, change: Partial<CommandFrame> = {}): CommandFrame => {
  return { id, action: 'noop', payload: {}, priority: 5, attempt: 1, timeoutMs: 60_000, ...change };
};

describe('Runner', () => {
  let runs: HandlerContext[];
  let ends: Map<string, (result: HandlerResult) => void>;
  let results: Map<string, ResultReport>;
  let startStatus: number;
  let journal: Journal;
  let runner: Runner;

  beforeAll(() => {
    Logger.overrideLogger(false);
  });
  beforeEach(() => {
    [runs, ends, results, startStatus] = [[], new Map(), new Map(), 200];
    const config = {
      serverUrl: 'http://x',
      clientKey: 'sk_a_b',
      transport: 'sse' as const,
      concurrency: 1,
      silenceMs: 1_000,
      aliveEveryMs: 1_000,
      dataDir: mkdtempSync(join(tmpdir(), 'gwanje-')),
      ownPaths: [],
    };
    const api = new ApiClient(config, new Connections(config), new WebSocketLink(config), Tracing.OFF);
    const ok = { ok: true as const, body: undefined };
    jest.spyOn(api, 'start').mockImplementation(async () => {
      return startStatus === 200 ? ok : { ok: false, status: startStatus, detail: '' };
    });
    jest.spyOn(api, 'result').mockImplementation(async ({ id }, body) => {
      results.set(id, body);
      return ok;
    });
    const handler = (action: string): Handler => ({
      action,
      run: (context) => {
        runs.push(context);
        return new Promise((resolve, reject) => {
          ends.set(context.frame.id, resolve);
          context.signal.addEventListener('abort', () => reject(new Error('aborted')));
        });
      },
    });
    journal = new Journal(config);
    const poster = new ResultPoster(api, journal);
    const handlers = new HandlerRegistry([handler('noop'), handler('print')], ['noop', 'print']);
    runner = new Runner(config, journal, api, handlers, new PayloadCheck(new Policy({})), poster, Tracing.OFF);
  });
  afterEach(async () => {
    const stopped = runner.stop();
    for (const end of ends.values()) end({ success: true });
    await stopped;
    await journal.close();
  });

  const ran = (): string[] => runs.map(({ frame: { id, attempt } }) => `${id}/${attempt}`);

  it('measures what an attempt took by no clock that may be set back', async () => {
    await runner.accept(frame('a'));
    await until(() => expect(ran()).toEqual(['a/1']));
    const clock = jest.spyOn(Date, 'now').mockReturnValue(0);
    ends.get('a')?.({ success: true });
    await until(() => expect(results.get('a')?.success).toBe(true));
    clock.mockRestore();
    expect(results.get('a')?.durationMs).toBeGreaterThanOrEqual(0);
  });

  it('runs an attempt once, however often it is sent', async () => {
    await Promise.all([runner.accept(frame('a')), runner.accept(frame('a'))]);
    await until(() => expect(ran()).toEqual(['a/1']));
    runner.resume();
    await runner.accept(frame('a'));
    expect(ran()).toEqual(['a/1']);
    ends.get('a')?.({ success: true, data: 1 });
    await until(() => expect(results.get('a')).toMatchObject({ attempt: 1, success: true, data: 1 }));
    await until(() => expect(journal.all()).toEqual([]));
  });

  it('keeps one slot for emergencies and serves by priority', async () => {
    await runner.accept(frame('a'));
    for (const [id, priority] of [
      ['low', 1],
      ['nine', 9],
      ['e1', 10],
      ['e2', 10],
    ] as const) {
      await runner.accept(frame(id, { priority }));
    }
    await until(() => expect(ran()).toEqual(['a/1', 'e1/1']));
    ends.get('a')?.({ success: true });
    await until(() => expect(ran()).toEqual(['a/1', 'e1/1', 'e2/1']));
    ends.get('e1')?.({ success: true });
    ends.get('e2')?.({ success: true });
    await until(() => expect(ran()).toEqual(['a/1', 'e1/1', 'e2/1', 'nine/1']));
  });

  it('never runs what the server does not let start', async () => {
    startStatus = 409;
    await runner.accept(frame('a'));
    await until(() => expect([ran(), journal.all(), results.size]).toEqual([[], [], 0]));
  });

  it('refuses wrong payloads, unknown actions and what the policy forbids', async () => {
    await runner.accept(frame('a', { payload: { delayMs: -1 } }));
    await runner.accept(frame('b', { action: 'nothing' }));
    await runner.accept(frame('c', { action: 'shell', payload: { program: 'ls' } }));
    await until(() => expect(results.size).toBe(3));
    expect(ran()).toEqual([]);
    expect(results.get('a')?.error).toContain('payload/delayMs');
    expect(results.get('b')?.error).toContain('nothing');
    expect(results.get('c')?.error).toContain('policy');
  });

  it('ends by timeout, by cancel while running and by cancel while waiting', async () => {
    await runner.accept(frame('a'));
    await runner.accept(frame('b'));
    await until(() => expect(ran()).toEqual(['a/1']));
    await runner.cancel({ id: 'b', attempt: 1 });
    await runner.cancel({ id: 'a', attempt: 2 });
    expect(results.has('a')).toBe(false);
    await runner.cancel({ id: 'a', attempt: 1 });
    await runner.accept(frame('t', { timeoutMs: 20 }));
    await until(() => expect(results.size).toBe(3));
    expect(ran()).toEqual(['a/1', 't/1']);
    expect([...results].map(([id, { outcome }]) => [id, outcome]).sort()).toEqual([
      ['a', 'cancelled'],
      ['b', 'cancelled'],
      ['t', 'timed_out'],
    ]);
  });

  it('after a crash runs what may repeat and tells the truth of the rest', async () => {
    const print = frame('p', { action: 'print', payload: { file: '/x' } });
    for (const one of [frame('n'), print]) {
      await journal.received(one);
      await journal.started(one);
    }
    await runner.recover();
    runner.resume();
    await until(() => expect(ran()).toEqual(['n/1']));
    await until(() => expect(results.get('p')).toMatchObject({ success: false, outcome: 'indeterminate' }));
  });

  it('lets an attempt that a crash left behind give way to the next one', async () => {
    await runner.accept(frame('busy'));
    await journal.received(frame('n'));
    await journal.started(frame('n'));
    await runner.recover();
    runner.resume();
    await runner.accept(frame('n', { attempt: 2 }));
    ends.get('busy')?.({ success: true });
    await until(() => expect(ran()).toEqual(['busy/1', 'n/2']));
  });

  it('calls done what was done before a cancel could reach it', async () => {
    await runner.accept(frame('a'));
    await until(() => expect(ran()).toEqual(['a/1']));
    ends.get('a')?.({ success: true, data: 'done' });
    await runner.cancel({ id: 'a', attempt: 1 });
    await until(() => expect(results.get('a')).toMatchObject({ success: true, data: 'done' }));
    expect(results.get('a')?.outcome).toBeUndefined();
  });

  it('leaves what may run twice to the next start, and kills the rest and says so', async () => {
    await runner.accept(frame('p', { action: 'print', payload: { file: '/x' } }));
    await runner.accept(frame('n', { priority: 10 }));
    await until(() => expect(ran()).toEqual(['p/1', 'n/1']));
    await runner.stop();
    expect(results.get('p')).toMatchObject({ success: false, outcome: 'indeterminate' });
    expect(journal.inFlight()).toEqual([{ id: 'n', attempt: 1, state: 'started' }]);
  }, 20_000);
});
