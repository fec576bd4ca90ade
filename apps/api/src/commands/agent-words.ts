import type { CommandState } from '@gwanje/contracts';
import { commandAttributes, Tracing } from '@gwanje/tracing';
import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import { validate as isUuid } from 'uuid';
import { type AuditEntry, AuditService } from '../audit/audit.service';
import { AgentKeys, type AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { ask, refusalOf } from '../core/database/statement';
import { Conflict, Hidden, StaleCaller } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { CommandMetrics, type Moved } from './command-metrics';
import { CommandStore, type LockedCommand, type Move } from './command-store';
import type { ResultDto } from './commands.dto';
import { Dispatcher } from './dispatcher';
import { RightOfWay } from './right-of-way';

/** What an agent says of one of its commands: that it started an attempt, or how one ended. */
export type Word = { id: string; agent: AgentPrincipal } & ({ kind: 'start'; attempt: number | undefined } | { kind: 'result'; body: ResultDto });

const STARTABLE: readonly CommandState[] = ['dispatched'];
const UNSETTLED: readonly CommandState[] = ['dispatched', 'running'];
const TAKES_A_RESULT: readonly CommandState[] = [...UNSETTLED, 'timed_out', 'indeterminate'];

/**
 * Takes the agents' words: writes down those that arrive together by one transaction, and has the freed slots filled after its commit.
 * What goes as foreseen is moved by one statement; when a word of the group does not fit, each is looked at by itself under a lock.
 */
@Injectable()
export class AgentWords {
  private readonly commits = new GroupCommit<Word, void>((group) => this.write(group), () => this.rightOfWay.clear());

  constructor(
    private readonly commands: CommandStore,
    private readonly hot: HotDatabase,
    private readonly keys: AgentKeys,
    private readonly audit: AuditService,
    private readonly dispatcher: Dispatcher,
    private readonly rightOfWay: RightOfWay,
    private readonly bus: Bus,
    private readonly metrics: CommandMetrics,
    private readonly tracing: Tracing,
  ) {}

  /** Throws Hidden for a command that is not the agent's, and Conflict for a word that comes too late or differs from an earlier one. */
  async say(word: Word): Promise<void> {
    if (!isUuid(word.id)) throw hidden(word);
    const { id, agent } = word;
    const parent = agent.origin.traceparent;
    if (!parent) return this.commits.add(word);
    const attributes = commandAttributes({ id, clientId: agent.id });
    return this.tracing.during({ name: `commands.${word.kind}`, kind: 'internal', parent, attributes }, () => this.commits.add(word));
  }

  private async write(group: Word[]): Promise<void[]> {
    const [word] = group;
    const moved = await this.writeForeseen(group).catch((fault: Error) => {
      if (word && group.length === 1 && refusalOf(fault)) return this.weigh(word);
      throw fault;
    });
    // kill point: words.after-commit
    this.metrics.noteEnded(moved);
    this.announce(group);
    // kill point: words.after-publish
    return group.map(() => undefined);
  }

  /** Refuses when something is not as foreseen. */
  private async writeForeseen(group: Word[]): Promise<Moved[]> {
    // In the order of their ids, so that two groups never wait for each other.
    const moves = group.map(moveOf).sort((a, b) => (a.id < b.id ? -1 : 1));
    const keyIds = [...new Set(group.map(({ agent }) => agent.keyId))];
    const audited = this.audit.recording(group.flatMap((word) => entryOf(word) ?? []));
    // kill point: words.before-commit
    const [, moved] = await this.hot.together([this.keys.requireValid(keyIds), this.commands.moveAll(moves), audited]);
    return moved;
  }

  /** Judges one word by what its command is, which stays so until the commit. */
  private weigh(word: Word): Promise<Moved[]> {
    return this.commands.transaction(async (transaction) => {
      const [ended] = await this.keys.ended([word.agent.keyId], transaction);
      if (ended) throw new StaleCaller('The client key is not valid');
      const command = await this.commands.lock(word.id, transaction);
      if (command?.clientId !== word.agent.id) throw hidden(word);
      if (!isNews(word, command)) return [];
      const move = { ...moveOf(word), from: [command.status], attempt: command.attempt, final: false };
      const moved = await ask(transaction, this.commands.moveAll([move]));
      // What failed has ended. What the agent had to end may have had its effect before.
      const hasEnded = move.to === 'failed';
      if (word.kind === 'result' && mayFollow(word.body, move.to)) await this.commands.retryIfDue({ ...command, status: move.to }, hasEnded, transaction);
      const entry = entryOf(word);
      if (entry) await this.audit.record(entry, transaction);
      // kill point: words.weighed
      return moved;
    });
  }

  private announce(group: Word[]): void {
    this.bus.publish('commands', { ids: group.map(({ id }) => id) });
    const freed = group.filter(({ kind }) => kind === 'result').map(({ agent }) => agent.id);
    this.dispatcher.wake([...new Set(freed)]).catch(() => undefined /* the sweeper finds the free slot */);
  }
}

const hidden = ({ kind, id }: Word): Hidden => new Hidden(`commands.${kind}`, { type: 'command', id });

/** The move that a word makes when nothing stands against it. */
function moveOf(word: Word): Move {
  const base = { id: word.id.toLowerCase(), clientId: word.agent.id };
  if (word.kind === 'start') return { ...base, from: STARTABLE, attempt: word.attempt ?? null, to: 'running', began: true, final: false };
  const { attempt = null, ...said } = word.body;
  const to = endOf(word.body);
  return {
    ...base,
    from: UNSETTLED,
    attempt,
    to,
    // A result without a start says both.
    began: word.body.outcome !== 'refused' && to !== 'cancelled',
    final: mayFollow(word.body, to),
    result: { success: said.success, data: said.data ?? null, durationMs: said.durationMs ?? null },
    said,
    errorMessage: said.error ?? (to === 'completed' ? null : `the agent reported ${to}`),
    data: { success: said.success, ...(said.error && { error: said.error }) },
  };
}

function endOf({ outcome, success }: ResultDto): CommandState {
  if (outcome === 'refused') return 'failed';
  return outcome ?? (success ? 'completed' : 'failed');
}

/** Whether an attempt that ended so may be followed by another. */
const mayFollow = ({ outcome }: ResultDto, to: CommandState): boolean => outcome !== 'refused' && (to === 'failed' || to === 'timed_out');

function entryOf(word: Word): AuditEntry | null {
  if (word.kind === 'start') return null;
  const { id, agent, body } = word;
  const outcome = body.outcome === 'refused' ? 'refused' : 'done';
  return { by: agent, action: 'commands.result', target: { type: 'command', id }, clientId: agent.id, outcome, detail: { state: endOf(body) } };
}

/** False for what was said before. The same result again is a no-op; another one for the same attempt is a conflict. */
function isNews(word: Word, command: LockedCommand): boolean {
  if (word.kind === 'start') {
    requireCurrent(command, word.attempt);
    if (command.status === 'running') return false;
    if (!STARTABLE.includes(command.status)) throw new Conflict('not_startable', `The command is ${command.status}`);
    if (command.isOverdue) throw new Conflict('not_startable', 'The command is expired');
    return true;
  }
  const { attempt = command.attempt, ...said } = word.body;
  if (command.reported?.attempt === attempt) {
    if (isDeepStrictEqual(command.reported.body, JSON.parse(JSON.stringify(said)))) return false;
    throw new Conflict('result_differs', 'Another result was reported for this attempt');
  }
  requireCurrent(command, attempt);
  if (!TAKES_A_RESULT.includes(command.status)) throw new Conflict('command_ended', `The command is ${command.status} and takes no result`);
  return true;
}

function requireCurrent(command: LockedCommand, attempt: number | undefined): void {
  if (attempt === undefined || attempt === command.attempt) return;
  throw new Conflict('stale_attempt', `The command is at attempt ${command.attempt}, not ${attempt}`);
}
