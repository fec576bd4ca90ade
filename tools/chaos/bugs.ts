import { NEMESES } from './nemeses';
import type { Nemesis } from './nemeses/nemesis';
import { onPostgresLine } from './nemeses/network';
import { killAgentAt } from './nemeses/processes';
import type { Patch } from './patch';
import type { WorldSettings } from './world';

/** A mistake that somebody could make, planted into the source, and the short plan under which it must be found. */
export interface Bug {
  name: string;
  patches: readonly Patch[];
  nemeses: readonly Nemesis[];
  load?: NonNullable<WorldSettings['load']>;
}

const API = 'apps/api/src/';
const AGENT = 'apps/agent/src/';
const RETRYING = { failing: 60 };
/** Attempts that end one after another, each long enough for an old word to come in between. */
const OVERLAPPING = { failing: 80, slow: true, rate: 8 };

const named = (...names: string[]): Nemesis[] =>
  names.map((name) => {
    const found = NEMESES.find((nemesis) => nemesis.name === name);
    if (!found) throw new Error(`no nemesis ${name}`);
    return found;
  });
const replace = (file: string, search: string, by: string): Patch => ({ file, search, replace: by });
const drop = (file: string, search: string): Patch => replace(file, search, '');

export const BUGS: readonly Bug[] = [
  {
    name: 'the fence is dropped from the statement that moves',
    patches: [drop(`${API}commands/command-store.ts`, ' AND c.attempt = coalesce(n.attempt, c.attempt)')],
    nemeses: named('old requests that come again'),
    load: OVERLAPPING,
  },
  {
    name: 'a result is taken whatever its attempt',
    patches: [
      replace(
        `${API}commands/agent-words.ts`,
        '  requireCurrent(command, attempt);\n  if (!TAKES_A_RESULT',
        '  if (!TAKES_A_RESULT',
      ),
      replace(
        `${API}commands/agent-words.ts`,
        'if (command.reported?.attempt === attempt) {',
        'if (command.reported?.attempt === attempt && command.attempt === attempt) {',
      ),
    ],
    nemeses: named('old requests that come again'),
    load: OVERLAPPING,
  },
  {
    name: 'the agent does not write down that it starts',
    patches: [
      replace(
        `${AGENT}journal/journal.ts`,
        "return this.move(frame, { state: 'started' });",
        "this.entries.set(frame.id, { frame, state: 'started' });\n    return true;",
      ),
    ],
    nemeses: [killAgentAt('runner.after-run')],
  },
  {
    name: 'the agent forgets a result before the server has it',
    patches: [
      replace(
        `${AGENT}runner/result-poster.ts`,
        '    // kill point: poster.before-post',
        '    // kill point: poster.before-post\n    await this.journal.remove(frame);\n    globalThis.killPoint("forgotten");',
      ),
    ],
    nemeses: [killAgentAt('forgotten')],
  },
  {
    name: 'the agent does not wait for the yes to its start',
    patches: [
      replace(
        `${AGENT}runner/runner.ts`,
        'if (!(await this.mayStart(attempt))) return;',
        'void this.mayStart(attempt);',
      ),
    ],
    nemeses: named('reordered requests'),
    load: { cancels: 30 },
  },
  {
    name: 'the agent runs again what may have happened',
    patches: [
      replace(
        `${AGENT}runner/runner.ts`,
        'if (isIdempotent(frame)) continue;',
        'if (isIdempotent(frame) || frame) continue;',
      ),
    ],
    nemeses: [killAgentAt('runner.after-run')],
  },
  {
    name: 'the agent takes a server in trouble for a refusal, and any refusal for the last word',
    patches: [
      replace(
        `${AGENT}link/api-client.ts`,
        'if (status >= 500 || status === 429 || status === 408)',
        'if (status === 429 || status === 408)',
      ),
      drop(`${AGENT}runner/result-poster.ts`, 'if (answer.status !== 404 && answer.status !== 409) return;'),
    ],
    nemeses: named('killed backends of PostgreSQL', 'PostgreSQL immediate restart'),
  },
  {
    name: 'the agent measures by the clock on the wall',
    patches: [
      replace(`${AGENT}runner/attempt.ts`, 'const began = performance.now();', 'const began = Date.now();'),
      replace(`${AGENT}runner/attempt.ts`, 'Math.round(performance.now() - began)', 'Date.now() - began'),
    ],
    nemeses: named('clock jump of an agent'),
  },
  {
    name: 'the key of a repeat is not looked at',
    patches: [
      replace(`${API}commands/intake.ts`, 'keyed.length > 0 ? this.idempotency.take(keyed) : null', 'null'),
      replace(
        `${API}commands/intake.ts`,
        'const earlier = request && (await this.idempotency.answerTo(request));',
        'const earlier = null;',
      ),
    ],
    nemeses: named('duplicated requests', 'requests done whose answers are lost'),
  },
  {
    name: "the audit of the agents' words stands outside of their transaction",
    patches: [
      replace(
        `${API}commands/agent-words.ts`,
        '    // kill point: words.before-commit',
        '    if (audited) await this.hot.together([audited]);\n    // kill point: words.before-commit',
      ),
      replace(
        `${API}commands/agent-words.ts`,
        'this.commands.moveAll(moves), audited]',
        'this.commands.moveAll(moves)]',
      ),
    ],
    nemeses: named('duplicated requests', 'requests done whose answers are lost'),
  },
  {
    name: 'the audit of new commands stands outside of their transaction',
    patches: [
      replace(
        `${API}commands/intake.ts`,
        '    // kill point: intake.before-commit',
        '    if (audited) await this.hot.together([audited]);\n    // kill point: intake.before-commit',
      ),
      replace(`${API}commands/intake.ts`, '      audited,\n', '      null,\n'),
    ],
    nemeses: named('killed backends behind held locks'),
  },
  {
    name: 'the sweeper times out whatever its state is',
    patches: [
      replace(
        `${API}commands/command-sweeps.ts`,
        "phase = 'open' AND deadline_at <= now()",
        'deadline_at <= now()',
      ),
    ],
    nemeses: named('FLUSHALL'),
    load: { failing: 60, timeoutMs: 3_000 },
  },
  {
    name: 'the cancel of what waits is answered and not written',
    patches: [
      drop(
        `${API}commands/commands.service.ts`,
        "await this.store.move(locked, 'cancelled', {}, { by: by.id }, transaction);",
      ),
    ],
    nemeses: named('FLUSHALL'),
    load: { cancels: 30 },
  },
  {
    name: 'the sweeper does not look for what waits',
    patches: [
      drop(`${API}commands/sweeper.ts`, 'await this.dispatcher.dispatch(await this.sweeps.findStarving(AT_ONCE));'),
    ],
    nemeses: named('FLUSHALL'),
    load: RETRYING,
  },
  {
    name: 'the claim does not wait until the time has come',
    patches: [
      replace(
        `${API}commands/command-store.ts`,
        "p.phase = 'pending' AND p.due_at <= now() AND (p.expires_at",
        "p.phase = 'pending' AND (p.expires_at",
      ),
    ],
    nemeses: named('FLUSHALL'),
  },
  {
    name: "a time-out is the server's last word",
    patches: [
      replace(`${API}commands/agent-words.ts`, "[...UNSETTLED, 'timed_out', 'indeterminate']", '[...UNSETTLED]'),
    ],
    nemeses: named('SIGSTOP of an agent'),
    load: { slow: true, rate: 8, timeoutMs: 2_500 },
  },
  {
    name: 'a new session drops what the agent runs',
    patches: [
      replace(
        `${API}commands/agent-sessions.ts`,
        'current.get(entry.id) !== entry.attempt)',
        'current.get(entry.id) !== entry.attempt + 1)',
      ),
    ],
    nemeses: named('connection reset'),
  },
  {
    name: 'a retry keeps its attempt',
    patches: [
      replace(
        `${API}commands/command-store.ts`,
        "SET status = 'pending', attempt = attempt + 1,",
        "SET status = 'pending',",
      ),
    ],
    nemeses: named('FLUSHALL'),
    load: RETRYING,
  },
  {
    name: 'what may have happened is repeated by itself',
    patches: [
      replace(
        `${API}commands/command-store.ts`,
        'const safe = certain || ACTIONS[command.action]?.idempotent === true;',
        'const safe = certain || !!command.action;',
      ),
    ],
    nemeses: named('SIGSTOP of an agent beyond every time-out', 'SIGKILL of an agent'),
    // Less time than a slow command takes: most of them end in doubt.
    load: { slow: true, rate: 8, timeoutMs: 1_200 },
  },
  {
    name: 'the answer does not wait for the commit',
    patches: [
      replace(
        `${API}core/database/hot-database.ts`,
        'client.exchange(sent.map(',
        "client.exchange([{ text: 'BEGIN', values: [] }, ...sent].map(",
      ),
      replace(`${API}core/database/hot-database.ts`, 'exchange.answers.values()', 'exchange.answers.slice(1).values()'),
      replace(
        `${API}core/database/hot-database.ts`,
        'sent[exchange.answers.length]',
        'sent[exchange.answers.length - 1]',
      ),
      replace(
        `${API}core/database/hot-database.ts`,
        'client.release(broken);',
        "setTimeout(() => client.exchange([this.named({ text: 'COMMIT', values: [] })]).end.then((fault) => client.release(fault ?? broken)), 50);",
      ),
    ],
    nemeses: named('killed backends of PostgreSQL', 'PostgreSQL immediate restart'),
  },
  {
    name: 'what nobody knows to be written is answered as if it were',
    patches: [
      replace(
        `${API}core/database/group-commit.ts`,
        'if (half === 0 || isAway(error)) for',
        'if (isAway(error)) for (const { resolve } of group) resolve(undefined as R);\n      else if (half === 0) for',
      ),
    ],
    nemeses: named('killed backends of PostgreSQL', 'PostgreSQL immediate restart'),
    load: { rate: 40 },
  },
  {
    name: 'a retry leaves no audit row',
    patches: [
      drop(`${API}commands/commands.service.ts`, "await this.record('commands.retry', locked, by, transaction);"),
    ],
    nemeses: named('FLUSHALL'),
  },
  {
    name: 'what Gwanje does by itself leaves no audit row',
    patches: [
      drop(
        `${API}commands/command-sweeps.ts`,
        "await this.audit.record({ by: SYSTEM, action, target: { type: 'command', id }, clientId, outcome: 'done' }, transaction);",
      ),
    ],
    nemeses: named('SIGSTOP of an agent'),
  },
  {
    name: 'what was cancelled may still start',
    patches: [
      replace(
        `${API}commands/agent-words.ts`,
        "const STARTABLE: readonly CommandState[] = ['dispatched'];",
        "const STARTABLE: readonly CommandState[] = ['dispatched', 'cancelled'];",
      ),
    ],
    nemeses: named('reordered requests'),
    load: { cancels: 30 },
  },
  {
    name: 'the cancel of what runs is answered and not written',
    patches: [
      drop(`${API}commands/commands.service.ts`, 'await this.store.requestCancel(locked, by.id, transaction);'),
    ],
    nemeses: named('FLUSHALL'),
    load: { cancels: 30 },
  },
  {
    name: 'a statement waits for its answer for ever',
    // In either pool: the one that gives up has the silent connections of the other cut, too.
    patches: [
      drop(`${API}core/database/hot-database.ts`, 'query_timeout: settings.queryMs,'),
      drop(`${API}core/database/database.module.ts`, 'query_timeout: config.DB_QUERY_MS,'),
    ],
    nemeses: [onPostgresLine('half-open connections')],
  },
  {
    name: 'nobody hears of a lost connection that is in use',
    patches: [drop(`${API}core/database/steady-client.ts`, "this.on('error', () => undefined);")],
    nemeses: [onPostgresLine('connection reset'), ...named('killed backends of PostgreSQL')],
  },
  {
    name: 'two claims for one client do not wait for each other',
    patches: [
      replace(
        `${API}commands/command-store.ts`,
        "'infinity' ORDER BY id FOR NO KEY UPDATE`",
        "'infinity' ORDER BY id`",
      ),
      // A transaction travels as one; with work in it that takes a moment, others come in between.
      replace(`${API}commands/command-store.ts`, 'FROM moved c ORDER BY', 'FROM moved c, pg_sleep(0.05) ORDER BY'),
      replace(
        `${API}commands/command-store.ts`,
        'FROM added`, values: [JSON',
        'FROM added, pg_sleep(0.05)`, values: [JSON',
      ),
    ],
    nemeses: named('FLUSHALL'),
    load: { failing: 60, slow: true, rate: 40 },
  },
  {
    name: 'the history is not written with a claim',
    patches: [
      replace(
        `${API}commands/command-store.ts`,
        "SELECT id, revision, 'dispatched', attempt FROM moved\n       )",
        "SELECT id, revision, 'dispatched', attempt FROM moved WHERE false\n       )",
      ),
    ],
    nemeses: named('FLUSHALL'),
  },
  {
    name: 'the history is not written of what is stored as handed out',
    patches: [
      drop(`${API}commands/command-store.ts`, " UNION ALL SELECT id, 2, 'dispatched', 1 FROM added WHERE revision = 2"),
    ],
    nemeses: named('FLUSHALL'),
  },
  {
    name: 'what is stored goes at once, though its time has not come',
    patches: [drop(`${API}commands/command-store.ts`, 'n.due AND ')],
    nemeses: named('FLUSHALL'),
  },
  {
    name: 'a word that does not fit is answered like one that does',
    patches: [
      drop(
        `${API}commands/command-store.ts`,
        "\n       UNION ALL SELECT refuse('not_as_foreseen'), NULL, NULL WHERE (SELECT count(*) FROM moved) <> $2",
      ),
      replace(`${API}commands/command-store.ts`, '[JSON.stringify(moves), moves.length]', '[JSON.stringify(moves)]'),
    ],
    nemeses: named('SIGSTOP of an agent'),
    load: { slow: true, rate: 8, timeoutMs: 2_500 },
  },
];
