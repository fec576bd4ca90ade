import type { CommandState } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { isDeepStrictEqual } from 'node:util';
import type { EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import { type AuditEntry, AuditService } from '../audit/audit.service';
import { ClientKeysService } from '../clients/client-keys.service';
import type { AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { Conflict, DomainError, Hidden, StaleCaller } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { CommandStore, type LockedCommand, type Move } from './command-store';
import type { ResultDto } from './commands.dto';
import { Dispatcher } from './dispatcher';

/** What an agent says of one of its commands: that it started an attempt, or how one ended. */
export type Word = { id: string; agent: AgentPrincipal } & ({ kind: 'start'; attempt: number | undefined } | { kind: 'result'; body: ResultDto });

/** A word that was judged: the move that it makes, if any, and whether the attempt may be followed by another. */
interface Verdict {
  move: Move | null;
  retry: boolean;
  entry: AuditEntry | null;
}

const NOTHING: Verdict = { move: null, retry: false, entry: null };
const TAKES_A_RESULT: readonly CommandState[] = ['dispatched', 'running', 'timed_out', 'indeterminate'];

/** Takes the agents' words: writes down those that arrive together by one transaction, and has the freed slots filled after its commit. */
@Injectable()
export class AgentWords {
  private readonly commits = new GroupCommit<Word, LockedCommand>((group) => this.write(group));

  constructor(
    private readonly commands: CommandStore,
    private readonly keys: ClientKeysService,
    private readonly audit: AuditService,
    private readonly dispatcher: Dispatcher,
    private readonly bus: Bus,
  ) {}

  /** Throws Hidden for a command that is not the agent's, and Conflict for a word that comes too late or differs from an earlier one. */
  async say(word: Word): Promise<void> {
    if (!isUuid(word.id)) throw hidden(word);
    await this.commits.add(word);
  }

  private async write(group: Word[]): Promise<(LockedCommand | Error)[]> {
    const results = await this.commands.transaction(async (transaction) => {
      const ended = new Set(await this.keys.ended([...new Set(group.map(({ agent }) => agent.keyId))], transaction));
      const locked = await this.commands.lockAll(group.map(({ id }) => id), group.map(({ agent }) => agent.id), transaction);
      // A start and a result of the same command may come together: starts are moved first.
      const answers = new Map<Word, LockedCommand | Error>();
      for (const kind of ['start', 'result'] as const) {
        const verdicts: Verdict[] = [];
        for (const word of group.filter((one) => one.kind === kind)) {
          const command = locked.get(word.id.toLowerCase());
          if (ended.has(word.agent.keyId)) {
            answers.set(word, new StaleCaller('The client key is not valid'));
            continue;
          }
          const verdict = command?.clientId === word.agent.id ? judge(word, command) : hidden(word);
          answers.set(word, verdict instanceof Error ? verdict : (command ?? hidden(word)));
          if (!(verdict instanceof Error)) verdicts.push(verdict);
        }
        await this.carryOut(verdicts, transaction);
      }
      return group.map((word) => answers.get(word) ?? hidden(word));
    });
    this.announce(group, results);
    return results;
  }

  private async carryOut(verdicts: Verdict[], transaction: EntityManager): Promise<void> {
    const moves = verdicts.flatMap(({ move }) => move ?? []);
    if (moves.length > 0) await this.commands.moveAll(moves, transaction);
    for (const { move, retry } of verdicts) if (move && retry) await this.commands.retryIfDue(move.command, true, transaction);
    await this.audit.recordAll(verdicts.flatMap(({ entry }) => entry ?? []), transaction);
  }

  private announce(group: Word[], results: (LockedCommand | Error)[]): void {
    const done = group.filter((_, index) => !(results[index] instanceof Error));
    if (done.length === 0) return;
    this.bus.publish('commands', { ids: done.map(({ id }) => id) });
    const freed = done.filter(({ kind }) => kind === 'result').map(({ agent }) => agent.id);
    this.dispatcher.wake([...new Set(freed)]).catch(() => undefined /* the sweeper finds the free slot */);
  }
}

const hidden = ({ kind, id }: Word): Hidden => new Hidden(`commands.${kind}`, { type: 'command', id });

/** Changes the locked command as the move will, so that the next word of the same group is judged by it. */
function judge(word: Word, command: LockedCommand): Verdict | DomainError {
  return word.kind === 'start' ? judgeStart(word.attempt, command) : judgeResult(word, word.body, command);
}

function judgeStart(attempt: number | undefined, command: LockedCommand): Verdict | DomainError {
  const stale = staleness(command, attempt);
  if (stale) return stale;
  if (command.status === 'running' || command.starting) return NOTHING;
  if (command.status !== 'dispatched') return new Conflict('not_startable', `The command is ${command.status}`);
  command.starting = true;
  return { move: { command, to: 'running' }, retry: false, entry: null };
}

/** The same result again is a no-op; another one for the same attempt is a conflict. */
function judgeResult({ id, agent }: Word, body: ResultDto, command: LockedCommand): Verdict | DomainError {
  const attempt = body.attempt ?? command.attempt;
  const { attempt: _, ...said } = JSON.parse(JSON.stringify(body)) as Record<string, unknown>;
  if (command.reported?.attempt === attempt) {
    return isDeepStrictEqual(command.reported.body, said) ? NOTHING : new Conflict('result_differs', 'Another result was reported for this attempt');
  }
  const stale = staleness(command, attempt);
  if (stale) return stale;
  if (!TAKES_A_RESULT.includes(command.status)) return new Conflict('command_ended', `The command is ${command.status} and takes no result`);
  const refused = body.outcome === 'refused';
  const to: CommandState = body.outcome === 'refused' ? 'failed' : (body.outcome ?? (body.success ? 'completed' : 'failed'));
  command.reported = { attempt, body: said };
  return {
    move: {
      command,
      to,
      reported: command.reported,
      result: { success: body.success, data: body.data ?? null, durationMs: body.durationMs ?? null },
      errorMessage: body.error ?? (to === 'completed' ? null : `the agent reported ${to}`),
      data: { success: body.success, ...(body.error && { error: body.error }) },
    },
    retry: !refused && (to === 'failed' || to === 'timed_out'),
    entry: {
      by: agent, action: 'commands.result', target: { type: 'command', id }, clientId: agent.id, outcome: refused ? 'refused' : 'done', detail: { state: to },
    },
  };
}

function staleness(command: LockedCommand, attempt: number | undefined): Conflict | null {
  if (attempt === undefined || attempt === command.attempt) return null;
  return new Conflict('stale_attempt', `The command is at attempt ${command.attempt}, not ${attempt}`);
}
