import { check, type Fault } from './checker';
import type { Audit, Call, Effect, History, Log, Row } from './history';

const [ID, MACHINE, TAG] = ['command-1', 'machine-1', 't-1'];
type Create = Extract<Call, { kind: 'create' }>;

const row = (change: Partial<Row> = {}): Row => ({
  id: ID,
  clientId: MACHINE,
  tag: TAG,
  batchId: null,
  action: 'shell',
  status: 'completed',
  attempt: 1,
  maxAttempts: 3,
  revision: 4,
  createdAt: 0,
  reportedAttempt: 1,
  result: { success: true, data: { stdout: 'attempt=1\n' } },
  errorMessage: null,
  ...change,
});
const create = (change: Partial<Create> = {}): Create => ({
  kind: 'create',
  at: 0,
  status: 201,
  tag: TAG,
  key: 'k',
  id: ID,
  effect: 'shell',
  exitCode: 0,
  clientId: MACHINE,
  notBefore: null,
  ...change,
});
/** `event` or `event/attempt`, in order. */
const logs = (...events: string[]): Log[] =>
  events.map((text, index) => {
    const [event = '', attempt = '1'] = text.split('/');
    return {
      commandId: ID,
      revision: index + 1,
      event,
      attempt: Number(attempt),
      at: index,
      data: event === 'retry' ? { by: 'operator' } : {},
    };
  });
const effect = (attempt = 1, change: Partial<Effect> = {}): Effect => ({
  clientId: MACHINE,
  tag: TAG,
  commandId: ID,
  attempt,
  ...change,
});
const audit = (action: string, detail: Record<string, unknown> = {}): Audit => ({
  commandId: ID,
  action,
  outcome: 'done',
  detail,
});
const DONE = logs('created', 'dispatched', 'running', 'completed');
const AUDITED = [audit('commands.create'), audit('commands.result', { state: 'completed' })];

/** One command, done and well, and what is said differently of it. */
const history = (change: Partial<History> = {}): History => ({
  calls: [create()],
  rows: [row()],
  logs: DONE,
  audits: AUDITED,
  entries: [],
  effects: [effect()],
  files: new Map(),
  agentEnds: [],
  overruns: [],
  ...change,
});
const faults = (change: Partial<History>): Fault[] => [...new Set(check(history(change)).map(({ fault }) => fault))];
const ended = (status: Row['status'], events: string[], change: Partial<History> = {}): Partial<History> => ({
  rows: [row({ status, result: null })],
  logs: logs('created', ...events),
  audits: [audit('commands.create'), audit('commands.cancel')],
  effects: [],
  ...change,
});

describe('the checker', () => {
  it('has nothing to say of a history without a fault', () => {
    expect(check(history())).toEqual([]);
    const retried = [
      ...logs('created', 'dispatched', 'running', 'failed', 'retry/2', 'dispatched/2', 'running/2', 'completed/2'),
    ];
    const calls: Call[] = [create(), { kind: 'retry', id: ID, at: 1, status: 200 }];
    const audits = [...AUDITED, audit('commands.result', { state: 'failed' }), audit('commands.retry')];
    const rows = [row({ attempt: 2, result: { success: true, data: { stdout: 'attempt=2\n' } } })];
    expect(check(history({ logs: retried, calls, audits, rows, effects: [effect(1), effect(2)] }))).toEqual([]);
    expect(check(history(ended('cancelled', ['dispatched', 'cancelled'])))).toEqual([]);
    const crashed = ended('indeterminate', ['dispatched', 'running', 'indeterminate'], {
      effects: [effect()],
      agentEnds: [{ clientId: MACHINE, at: 2 }],
    });
    expect(check(history(crashed))).toEqual([]);
    // Nobody knows whether a call without an answer happened.
    expect(check(history({ calls: [create({ status: null, id: null })] }))).toEqual([]);
    expect(
      check(history({ calls: [create({ status: null, id: null })], rows: [], logs: [], audits: [], effects: [] })),
    ).toEqual([]);
  });

  const cases: [string, Fault, Partial<History>][] = [
    ['an accepted command that is not there', 'lost', { rows: [], logs: [], audits: [], effects: [] }],
    ['a command that never ends', 'lost', ended('running', ['dispatched', 'running'])],
    ['a completed command without an effect', 'lost', { effects: [] }],
    [
      'a result that stays in a journal',
      'lost',
      { entries: [{ clientId: MACHINE, commandId: ID, attempt: 1, state: 'finished' }] },
    ],
    ['a written file that is not there', 'lost', { calls: [create({ effect: 'file' })], effects: [] }],
    [
      'an accepted cancel without a trace',
      'lost',
      { calls: [create(), { kind: 'cancel', id: ID, at: 1, status: 200 }] },
    ],
    ['an accepted retry without a trace', 'lost', { calls: [create(), { kind: 'retry', id: ID, at: 1, status: 200 }] }],
    ['two effects of one attempt', 'doubled', { effects: [effect(), effect()] }],
    ['two commands of one intention', 'doubled', { rows: [row(), row({ id: 'command-2' })] }],
    ['two answers to one key', 'doubled', { calls: [create(), create({ id: 'command-2' })] }],
    [
      'a move out of an end state',
      'illegal',
      { logs: logs('created', 'dispatched', 'running', 'cancelled', 'completed') },
    ],
    ['a gap in the history', 'illegal', { logs: DONE.filter(({ revision }) => revision !== 3) }],
    ['a state that the history does not end with', 'illegal', { logs: DONE.slice(0, 3) }],
    [
      'an effect of what was cancelled before it started',
      'illegal',
      ended('cancelled', ['dispatched', 'cancelled'], { effects: [effect()] }),
    ],
    ['an effect of what had expired', 'illegal', ended('expired', ['dispatched', 'expired'], { effects: [effect()] })],
    [
      'a client that saw it completed, which it is not',
      'illegal',
      {
        ...ended('cancelled', ['cancelled']),
        calls: [create(), { kind: 'read', id: ID, at: 1, status: 200, state: 'completed', attempt: 1 }],
      },
    ],
    [
      'a repeat on a guess',
      'illegal',
      {
        logs: DONE.map((log) => log).concat({
          ...(DONE[3] as Log),
          revision: 5,
          event: 'retry',
          attempt: 2,
          data: { by: 'automatic' },
        }),
      },
    ],
    [
      'a result of an attempt that was over',
      'stale-accepted',
      {
        rows: [row({ attempt: 2 })],
        logs: logs('created', 'dispatched', 'running', 'failed', 'retry/2', 'dispatched/2', 'completed/2'),
      },
    ],
    ['an old attempt that takes effect after a new one', 'stale-accepted', { effects: [effect(2), effect(1)] }],
    [
      'a word of an old attempt in the history',
      'stale-accepted',
      { logs: logs('created', 'dispatched', 'failed', 'retry/2', 'dispatched/2', 'completed/1') },
    ],
    ['a command that was dispatched before its time', 'illegal', { calls: [create({ notBefore: 2 })] }],
    [
      'a time-out of what the agent could tell',
      'lost',
      {
        rows: [row({ status: 'timed_out', result: null, reportedAttempt: null })],
        logs: logs('created', 'dispatched', 'running', 'timed_out'),
      },
    ],
    [
      'doubt about what may be run again',
      'unexplained',
      ended('indeterminate', ['dispatched', 'running', 'indeterminate'], {
        rows: [row({ status: 'indeterminate', action: 'noop' })],
        agentEnds: [{ clientId: MACHINE, at: 2 }],
      }),
    ],
    [
      'an audit row without a command',
      'unexplained',
      { audits: [...AUDITED, { ...audit('commands.create'), commandId: 'nobody' }] },
    ],
    ['an effect without a command', 'unexplained', { effects: [effect(), effect(1, { commandId: 'nobody' })] }],
    ['a command that nobody ordered', 'unexplained', { calls: [] }],
    ['a refused command that is stored', 'unexplained', { calls: [create({ status: 400, id: null })] }],
    ['an effect on another machine', 'unexplained', { effects: [effect(1, { clientId: 'machine-2' })] }],
    ['an end without its audit row', 'unexplained', { audits: [audit('commands.create')] }],
    ['an audit row of what did not happen', 'unexplained', { audits: [...AUDITED, audit('commands.create')] }],
    ['doubt without a cause', 'unexplained', ended('indeterminate', ['dispatched', 'running', 'indeterminate'])],
    [
      'the result of something else',
      'unexplained',
      {
        calls: [create({ effect: 'none' })],
        effects: [],
        rows: [row({ result: { success: true, data: { echo: 't-2' } } })],
      },
    ],
    ['a failure that is completed', 'unexplained', { calls: [create({ exitCode: 3 })] }],
  ];
  it.each(cases)('finds %s: %s', (_, fault, change) => {
    expect(faults(change)).toContain(fault);
  });
});
