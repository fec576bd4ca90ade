import { type CommandState, END_STATES, isLegalMove } from '@gwanje/contracts';
import type { Audit, Call, Effect, History, Log, Row } from './history';

export const FAULTS = ['lost', 'doubled', 'illegal', 'stale-accepted', 'unexplained'] as const;
/**
 * lost: accepted, and it is not there, not at an end, or without its effect or its result. doubled: one intention, two commands or two
 * effects. illegal: a history that the table of moves does not allow, an effect where its state excludes one, or more in flight than there
 * are slots. stale-accepted: the word or the effect of an attempt that was over. unexplained: something happened that no witness accounts for.
 */
export type Fault = (typeof FAULTS)[number];

export interface Finding {
  fault: Fault;
  commandId: string | null;
  why: string;
}

type Create = Extract<Call, { kind: 'create' }>;

/** All that the witnesses know of one command. */
interface Case {
  row: Row;
  create: Create | undefined;
  logs: readonly Log[];
  audits: readonly Audit[];
  effects: readonly Effect[];
  calls: readonly Call[];
}

/** Compares what the witnesses say after everything has settled; knows nothing of how Gwanje works inside. Pure. */
export function check(history: History): Finding[] {
  const findings: Finding[] = [];
  const report = (fault: Fault, commandId: string | null, why: string): void =>
    void findings.push({ fault, commandId, why });
  const rows = new Map(history.rows.map((row) => [row.id, row]));
  const creates = history.calls.filter((call) => call.kind === 'create');
  checkCreates(creates, rows, history.rows, report);

  const byTag = groupBy(creates, ({ tag }) => tag);
  const logs = groupBy(history.logs, ({ commandId }) => commandId);
  const audits = groupBy(history.audits, ({ commandId }) => commandId);
  const effects = groupBy(history.effects, ({ commandId }) => commandId);
  const calls = groupBy(
    history.calls.filter((call) => call.kind !== 'create'),
    ({ id }) => id,
  );
  for (const row of history.rows) {
    const one: Case = {
      row,
      create: byTag.get(row.tag ?? '')?.[0],
      logs: [...(logs.get(row.id) ?? [])].sort((a, b) => a.revision - b.revision),
      audits: audits.get(row.id) ?? [],
      effects: effects.get(row.id) ?? [],
      calls: calls.get(row.id) ?? [],
    };
    const say = (fault: Fault, why: string): void => report(fault, row.id, why);
    checkMoves(one, say);
    checkEffects(one, history, say);
    checkAudit(one, say);
    checkWords(one, say);
    checkExplained(one, history, say);
  }
  checkBatches(history, report);
  for (const { clientId, taken, slots, at } of history.overruns)
    report('illegal', null, `${clientId} had ${taken} in flight and ${slots} slots at ${new Date(at).toISOString()}`);
  for (const { commandId, action, outcome } of history.audits) {
    if (outcome === 'done' && action !== BATCH && !rows.has(commandId))
      report('unexplained', commandId, `an audit row ${action}, and no such command`);
  }
  for (const { commandId, tag } of history.effects) {
    if (!rows.has(commandId)) report('unexplained', commandId, `an effect of ${tag}, and no such command`);
  }
  for (const { commandId, state, attempt, clientId } of history.entries) {
    report('lost', commandId, `the journal of ${clientId} still holds attempt ${attempt} as ${state}`);
  }
  return findings;
}

function checkCreates(
  creates: Create[],
  rows: Map<string, Row>,
  all: readonly Row[],
  report: (fault: Fault, id: string | null, why: string) => void,
): void {
  const stored = groupBy(
    all.filter(({ tag }) => tag !== null),
    ({ tag }) => tag ?? '',
  );
  for (const [tag, calls] of groupBy(creates, (call) => call.tag)) {
    const found = stored.get(tag) ?? [];
    const answered = new Set(calls.flatMap(({ status, id }) => (status === 201 && id ? [id] : [])));
    for (const id of answered)
      if (!rows.has(id)) report('lost', id, `${tag} was answered with 201, and is not in PostgreSQL`);
    if (found.length === 0 && calls.some(({ status, id }) => status === 201 && id === null))
      report('lost', null, `${tag} was answered with 201, and is not in PostgreSQL`);
    if (answered.size > 1)
      report('doubled', [...answered].join(' '), `the repeats of ${tag} were answered with different commands`);
    if (found.length > 1)
      report('doubled', found.map(({ id }) => id).join(' '), `${tag} was meant once and stored ${found.length} times`);
    const refused = calls.every(({ status }) => status !== null && status >= 400);
    if (refused && found.length > 0) report('unexplained', found[0]?.id ?? null, `${tag} was refused, and is stored`);
  }
  const meant = new Set(creates.map(({ tag }) => tag));
  for (const { id, tag } of all) if (!meant.has(tag ?? '')) report('unexplained', id, 'no client asked for it');
}

const BATCH = 'commands.create_batch';

/** Each batch is audited once, and what is audited is there. */
function checkBatches({ rows, audits }: History, report: (fault: Fault, id: string | null, why: string) => void): void {
  const stored = groupBy(
    rows.filter(({ batchId }) => batchId !== null),
    ({ batchId }) => batchId ?? '',
  );
  const audited = groupBy(
    audits.filter(({ action }) => action === BATCH),
    ({ commandId }) => commandId,
  );
  for (const id of new Set([...stored.keys(), ...audited.keys()])) {
    const [commands, entries] = [stored.get(id)?.length ?? 0, audited.get(id)?.length ?? 0];
    if (commands === 0 || entries !== 1)
      report('unexplained', null, `batch ${id} has ${commands} commands and ${entries} audit rows`);
  }
}

const STATE_OF_EVENT: Record<string, CommandState> = { created: 'pending', retry: 'pending' };
/** Lines of the history that are no moves. */
const NOTES = new Set(['cancel_requested']);
const stateOf = ({ event }: Log): CommandState => STATE_OF_EVENT[event] ?? (event as CommandState);

/** The agent's own word on what the server had only concluded. */
const confirms = (from: Log, to: Log): boolean =>
  ['timed_out', 'indeterminate'].includes(to.event) && from.event === to.event && 'success' in to.data;

function checkMoves({ row, create, logs }: Case, say: (fault: Fault, why: string) => void): void {
  logs.forEach(({ revision }, index) => {
    if (revision !== index + 1) say('illegal', `revision ${revision} stands at place ${index + 1} of the history`);
  });
  const due = create?.notBefore ?? 0;
  if (logs.some(({ event, attempt, at }) => event === 'dispatched' && attempt === 1 && at < due))
    say('illegal', 'it was dispatched before its time');
  const moves = logs.filter(({ event }) => !NOTES.has(event));
  if (moves[0]?.event !== 'created') say('illegal', `the history begins with ${moves[0]?.event ?? 'nothing'}`);
  for (const [index, to] of moves.entries()) {
    const from = moves[index - 1];
    if (!from) continue;
    if (!isLegalMove(stateOf(from), stateOf(to)) && !confirms(from, to))
      say('illegal', `${from.event} was followed by ${to.event}`);
    const attempt = from.attempt + (to.event === 'retry' ? 1 : 0);
    if (to.attempt !== attempt)
      say(
        to.attempt < attempt ? 'stale-accepted' : 'illegal',
        `${to.event} of attempt ${to.attempt} came during attempt ${attempt}`,
      );
  }
  const last = moves.at(-1);
  if (last && stateOf(last) !== row.status)
    say('illegal', `it is ${row.status}, and its history ends with ${last.event}`);
  if (last && last.attempt !== row.attempt)
    say('illegal', `it is at attempt ${row.attempt}, and its history ends with attempt ${last.attempt}`);
  if (!(END_STATES as readonly string[]).includes(row.status)) say('lost', `it is still ${row.status}`);
  if (row.attempt > Math.max(1, row.maxAttempts))
    say('illegal', `attempt ${row.attempt} of at most ${row.maxAttempts}`);
}

function checkEffects(
  { row, create, logs, effects }: Case,
  history: History,
  say: (fault: Fault, why: string) => void,
): void {
  if (!create) return;
  if (create.effect === 'none' && row.status === 'completed') {
    const echo = (row.result?.data as { echo?: unknown } | null)?.echo;
    if (echo !== create.tag.split('/')[0])
      say('unexplained', `it is completed with the result of something else: ${JSON.stringify(row.result)}`);
  }
  if (create.effect === 'file' && row.status === 'completed' && history.files.get(create.tag) !== create.tag)
    say('lost', 'it is completed, and its file is not there');
  if (create.effect !== 'shell') return;

  for (const [attempt, of] of groupBy(effects, (effect) => String(effect.attempt))) {
    if (of.length > 1) say('doubled', `attempt ${attempt} took effect ${of.length} times`);
  }
  effects.forEach(({ attempt, clientId }, index) => {
    if (attempt < (effects[index - 1]?.attempt ?? 0))
      say('stale-accepted', `attempt ${attempt} took effect after a later one`);
    if (clientId !== row.clientId) say('unexplained', 'it took effect on another machine');
  });
  const attempts = new Set(effects.map(({ attempt }) => attempt));
  for (let attempt = 1; attempt <= row.attempt; attempt++) {
    const events = logs.filter((log) => log.attempt === attempt).map(({ event }) => event);
    const end =
      attempt === row.attempt
        ? row.status
        : stateOf(
            logs.filter((log) => log.attempt === attempt && !NOTES.has(log.event)).at(-1) ??
              ({ event: 'created' } as Log),
          );
    if (attempts.has(attempt) && !events.includes('dispatched'))
      say('illegal', `attempt ${attempt} took effect without being dispatched`);
    if (attempts.has(attempt) && end === 'expired') say('illegal', `attempt ${attempt} expired, and took effect`);
    if (attempts.has(attempt) && end === 'cancelled' && !events.includes('running'))
      say('illegal', `attempt ${attempt} was cancelled before it started, and took effect`);
    if (!attempts.has(attempt) && end === 'completed')
      say('lost', `attempt ${attempt} is completed, and had no effect`);
  }
  for (const attempt of attempts)
    if (attempt > row.attempt)
      say('unexplained', `attempt ${attempt} took effect, and the command is at ${row.attempt}`);
  const printed = /attempt=(\d+)/.exec((row.result?.data as { stdout?: string } | null)?.stdout ?? '')?.[1];
  if (printed !== undefined && Number(printed) !== row.attempt)
    say('stale-accepted', `the result of attempt ${printed} stands for attempt ${row.attempt}`);
  if (row.status === 'failed' && create.exitCode === 0 && printed !== undefined)
    say('unexplained', `it succeeded, and is failed: ${row.errorMessage}`);
  if (row.status === 'completed' && create.exitCode !== 0) say('unexplained', 'it failed, and is completed');
  logs.forEach(({ event, data }, index) => {
    const before = logs[index - 1];
    // Only what the agent says has failed may be repeated: what was ended in time may have happened before.
    if (event === 'retry' && data['by'] === 'automatic' && before?.event !== 'failed')
      say('illegal', `repeated by itself after ${before?.event ?? 'nothing'}, though it may have happened`);
  });
  if (row.status === 'timed_out' && attempts.has(row.attempt) && row.reportedAttempt !== row.attempt)
    say('lost', "it took effect, and its agent's word on it is missing");
}

/** What is told is told in the same transaction: neither stands without the other. */
function checkAudit({ row, logs, audits }: Case, say: (fault: Fault, why: string) => void): void {
  const audited = (action: string): number => audits.filter((audit) => audit.action === action).length;
  const logged = (event: string, by?: string): number =>
    logs.filter((log) => log.event === event && (!by || log.data['by'] === by)).length;
  const expect = (action: string, times: number): void => {
    if (audited(action) !== times)
      say('unexplained', `${audited(action)} audit rows ${action}, and the history has ${times}`);
  };
  expect('commands.create', row.batchId === null ? 1 : 0);
  expect('commands.retry', logged('retry', 'operator'));
  const ends = audits.filter(
    ({ action, detail }) => action === 'commands.result' && ['completed', 'failed'].includes(String(detail['state'])),
  ).length;
  const endings = logged('completed') + logged('failed');
  if (ends !== endings)
    say('unexplained', `${ends} audit rows commands.result of a success or failure, and the history has ${endings}`);
  expect('commands.expire', logged('expired'));
  if (row.status === 'cancelled' && audited('commands.cancel') + audited('commands.result') === 0)
    say('unexplained', 'it is cancelled, and nobody is audited for it');
}

/** What a client was told holds. */
function checkWords({ row, logs, calls }: Case, say: (fault: Fault, why: string) => void): void {
  const times = (kind: Call['kind'], known: boolean): number =>
    calls.filter((call) => call.kind === kind && (known ? call.status === 200 : call.status === null)).length;
  const retries = logs.filter(({ event, data }) => event === 'retry' && data['by'] === 'operator').length;
  if (retries < times('retry', true))
    say('lost', `${times('retry', true)} retries were accepted, and the history has ${retries}`);
  if (retries > times('retry', true) + times('retry', false))
    say('doubled', `${retries} retries, and ${times('retry', true)} were accepted, ${times('retry', false)} unknown`);
  const cancels = logs.filter(({ event }) => event === 'cancelled' || event === 'cancel_requested').length;
  if (cancels === 0 && times('cancel', true) > 0) say('lost', 'a cancel was accepted, and the history has none');
  for (const call of calls) {
    if (call.kind !== 'read' || call.status !== 200) continue;
    if (call.state === 'completed' && row.status !== 'completed')
      say('illegal', `a client saw it completed, and it is ${row.status}`);
    if ((call.attempt ?? 0) > row.attempt)
      say('illegal', `a client saw attempt ${call.attempt}, and it is at ${row.attempt}`);
  }
}

/** Gwanje may say that nobody can know only where an agent was ended while it had the command. */
function checkExplained({ row, logs }: Case, { agentEnds }: History, say: (fault: Fault, why: string) => void): void {
  if (row.status !== 'indeterminate') return;
  if (row.action !== 'shell')
    say('unexplained', `it is indeterminate, and its action may be run again: ${row.errorMessage}`);
  const own = logs.filter(({ attempt }) => attempt === row.attempt);
  const from = own.find(({ event }) => event === 'dispatched')?.at ?? 0;
  const until = own.filter(({ event }) => event === 'indeterminate').at(-1)?.at ?? 0;
  // Who is asked to stop says so first, and has ten seconds to end.
  const afterwards = /agent was stopped/.test(row.errorMessage ?? '') ? 11_000 : 1_000;
  const ended = agentEnds.some(
    ({ clientId, at }) => clientId === row.clientId && at >= from - 1_000 && at <= until + afterwards,
  );
  if (!ended) say('unexplained', `it is indeterminate, and its agent did not end: ${row.errorMessage}`);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}
