import { commandAttributes, Tracing } from '@gwanje/tracing';
import { Injectable } from '@nestjs/common';
import { type AuditEntry, AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { refusalOf } from '../core/database/statement';
import { StaleCaller, UnknownReference } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { PeopleService } from '../identity/people.service';
import { CommandMetrics } from './command-metrics';
import { CommandStore } from './command-store';
import type { CommandView } from './command-view';
import { Dispatcher } from './dispatcher';
import { IdempotencyKeys, type KeyedRequest } from './idempotency-keys';
import { asCreated, asHandedOut, type NewCommand, withRedacted } from './new-command';

/** A command that was allowed, on its way into the database. */
export interface Submission {
  command: NewCommand;
  by: Person;
  /** If it came with an `Idempotency-Key`. */
  request?: KeyedRequest | undefined;
}

/** What became of it: the new command, or the id of the one that the same key gave before. */
export type Receipt = { stored: CommandView } | { earlier: string };

/**
 * Takes commands in: makes sure that their callers' rights are still those by which they were allowed, stores those that arrive
 * together by one transaction, which hands them out at once where a client is online and has a free slot, and tells of them after its commit.
 */
@Injectable()
export class Intake {
  private readonly commits = new GroupCommit<Submission, Receipt>((group) => this.write(group));

  constructor(
    private readonly commands: CommandStore,
    private readonly hot: HotDatabase,
    private readonly people: PeopleService,
    private readonly idempotency: IdempotencyKeys,
    private readonly audit: AuditService,
    private readonly dispatcher: Dispatcher,
    private readonly bus: Bus,
    private readonly metrics: CommandMetrics,
    private readonly tracing: Tracing,
  ) {}

  /**
   * The id that the same request was answered by before. It is asked for before anything is looked at that may have changed since, such as
   * whether the clients are still there. Throws StaleCaller as `add` does.
   */
  async earlier(request: KeyedRequest | undefined): Promise<string | null> {
    const earlier = request && (await this.idempotency.answerTo(request));
    if (!earlier) return null;
    if ((await this.people.changed([request.by])).size > 0) throw new StaleCaller();
    return earlier;
  }

  /** Throws StaleCaller when the rights of the caller have changed since they were looked at. */
  async add(submission: Submission): Promise<Receipt> {
    const { command } = submission;
    if (!command.traceparent) return this.commits.add(submission);
    const span = { name: 'commands.store', kind: 'internal' as const, parent: command.traceparent, attributes: commandAttributes(command) };
    return this.tracing.during(span, () => this.commits.add(submission));
  }

  /** After the commit: whoever watches is told, and the clients are looked at. Nobody waits for it. */
  announce(ids: string[], clientIds: string[]): void {
    this.bus.publish('commands', { ids });
    this.dispatcher.wake(clientIds).catch(() => undefined /* stored: the sweeper finds it */);
  }

  private async write(group: Submission[]): Promise<Receipt[]> {
    const [submission] = group;
    try {
      return await this.store(group);
    } catch (fault) {
      const refused = refusalOf(fault);
      if (!submission || group.length > 1 || !refused) throw fault;
      const earlier = await this.whoWasFaster(refused, submission);
      // If nobody was, the key's time was over a moment ago: it is free again.
      return earlier ? [{ earlier }] : this.store(group);
    }
  }

  /** The command that the same key gave at the same moment, if that is why the database refused this; throws what its caller is told of any other reason. */
  private async whoWasFaster(refused: string, { command, request }: Submission): Promise<string | null> {
    if (refused === 'rights_changed') throw new StaleCaller();
    if (refused === 'unknown_client' || !request) throw unknownClient(command.clientId);
    return this.idempotency.answerTo(request);
  }

  private async store(group: Submission[]): Promise<Receipt[]> {
    const keyed = group.flatMap(({ command: { id }, request }) => (request ? { request, id } : []));
    const clientIds = [...new Set(group.map(({ command }) => command.clientId))];
    const audited = this.audit.recording(group.map(entryOf));
    // kill point: intake.before-commit
    const [, , , stored] = await this.hot.together([
      this.people.requireUnchanged(group.map(({ by }) => by)),
      keyed.length > 0 ? this.idempotency.take(keyed) : null,
      this.commands.requireAndHold(clientIds),
      this.commands.insertAll(group.map(({ command }) => command)),
      audited,
    ]);
    // kill point: intake.after-commit
    const places = new Map(stored.map((row) => [row.id, row]));
    const written = group.map(({ command }) => {
      const place = places.get(command.id);
      if (!place) throw new Error(`command ${command.id} was stored and not answered`);
      return { command, ...place };
    });
    for (const { command } of written) this.metrics.noteCreated(command.action, 1);
    this.dispatcher.announce(written.flatMap(({ command, createdAt, handedOut }) => (handedOut ? [asHandedOut(command, createdAt)] : [])));
    const waiting = written.filter(({ handedOut }) => !handedOut).map(({ command }) => command.clientId);
    this.announce(written.map(({ id }) => id), [...new Set(waiting)]);
    // kill point: intake.after-publish
    return written.map(({ command, createdAt }) => ({ stored: asCreated(command, createdAt) }));
  }
}

export const unknownClient = (id: string): UnknownReference => new UnknownReference('commands.create', 'client', [{ path: 'clientId', id }]);

function entryOf({ command, by }: Submission): AuditEntry {
  const { id, clientId, action, payload, priority, notBefore, expiresAt, maxAttempts, secretParameters } = command;
  const after = { action, payload: withRedacted(payload, secretParameters), priority, notBefore, expiresAt, maxAttempts };
  return { by, action: 'commands.create', target: { type: 'command', id }, clientId, outcome: 'done', after };
}
