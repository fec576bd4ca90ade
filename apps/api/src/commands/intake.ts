import { commandAttributes, Tracing } from '@gwanje/tracing';
import { Injectable } from '@nestjs/common';
import { createHash } from 'node:crypto';
import { type AuditEntry, AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import type { Queries } from '../core/database/queries';
import { Conflict, StaleCaller, UnknownReference } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { REDACTED } from '../core/redaction/redact';
import { PeopleService } from '../identity/people.service';
import { CommandMetrics } from './command-metrics';
import { CommandStore, type NewCommand } from './command-store';
import type { CommandView } from './command-view';
import { Dispatcher } from './dispatcher';

/** A command that was allowed, on its way into the database. */
export interface Submission {
  command: NewCommand;
  by: Person;
  /** The caller's `Idempotency-Key` and the body that came with it. */
  idempotency?: { key: string; body: object };
}

/** What became of it: the new command, or the id of the one that the same key gave before. */
export type Receipt = { stored: CommandView } | { earlier: string };

/**
 * Takes commands in: makes sure that their callers' rights are still those by which they were allowed, stores those that arrive
 * together by one transaction, which claims them at once where a client is online and has a free slot, and tells of them after its commit.
 */
@Injectable()
export class Intake {
  private readonly commits = new GroupCommit<Submission, Receipt>((group) => this.store(group));

  constructor(
    private readonly commands: CommandStore,
    private readonly hot: HotDatabase,
    private readonly people: PeopleService,
    private readonly audit: AuditService,
    private readonly dispatcher: Dispatcher,
    private readonly bus: Bus,
    private readonly metrics: CommandMetrics,
    private readonly tracing: Tracing,
  ) {}

  /** Throws StaleCaller when the rights of the caller have changed since they were looked at. */
  add(submission: Submission): Promise<Receipt> {
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

  /** Takes the key for `id`, or answers whose it is already. */
  async claimKey(idempotency: Submission['idempotency'], id: string, by: Person, transaction: Queries): Promise<string | null> {
    if (!idempotency) return null;
    const { key, body } = idempotency;
    const bodyHash = createHash('sha256').update(canonical(body)).digest();
    const [taken] = await transaction.query<unknown[]>(
      `INSERT INTO idempotency_keys (user_id, key, body_hash, answer_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING 1`,
      [by.id, key, bodyHash, id],
    );
    if (taken) return null;
    const [earlier] = await transaction.query<{ body_hash: Buffer; answer_id: string }[]>(
      'SELECT body_hash, answer_id FROM idempotency_keys WHERE user_id = $1 AND key = $2',
      [by.id, key],
    );
    if (!earlier?.body_hash.equals(bodyHash)) throw new Conflict('idempotency_key_reused', 'This Idempotency-Key was used with another body');
    return earlier.answer_id;
  }

  private async store(group: Submission[]): Promise<Receipt[]> {
    const { receipts, claimed } = await this.hot.transaction(async (transaction) => {
      const earlier = new Map<Submission, string>();
      for (const submission of group) {
        const known = await this.claimKey(submission.idempotency, submission.command.id, submission.by, transaction);
        if (known) earlier.set(submission, known);
      }
      const fresh = group.filter((submission) => !earlier.has(submission));
      const clientIds = [...new Set(fresh.map(({ command }) => command.clientId))];
      const [changed, stored, held] = await Promise.all([
        this.people.changed(group.map(({ by }) => by), transaction),
        this.commands.insertAll(fresh.map(({ command }) => command), transaction),
        this.commands.holdOnline(clientIds, transaction),
        this.audit.recordAll(fresh.map(entryOf), transaction),
      ]);
      if (changed.size > 0) throw new StaleCaller();
      const receipts = group.map((submission): Receipt => {
        const known = earlier.get(submission);
        if (known) return { earlier: known };
        const view = stored.get(submission.command.id);
        if (!view) throw unknownClient(submission.command.clientId);
        return { stored: view };
      });
      // kill point: intake.before-commit
      return { receipts, claimed: held.length > 0 ? await this.commands.claim(held, transaction) : [] };
    });
    // kill point: intake.after-commit
    const fresh = receipts.flatMap((receipt) => ('stored' in receipt ? [receipt.stored] : []));
    for (const { action } of fresh) this.metrics.noteCreated(action, 1);
    this.dispatcher.announce(claimed);
    const handedOut = new Set(claimed.map(({ id }) => id));
    const waiting = fresh.filter(({ id }) => !handedOut.has(id));
    const told = new Set([...fresh, ...claimed].map(({ id }) => id));
    if (told.size > 0) this.announce([...told], [...new Set(waiting.map(({ clientId }) => clientId))]);
    // kill point: intake.after-publish
    return receipts;
  }
}

export const unknownClient = (id: string): UnknownReference => new UnknownReference('commands.create', 'client', [{ path: 'clientId', id }]);

function entryOf({ command, by }: Submission): AuditEntry {
  const { id, clientId, action, payload, priority, notBefore, expiresAt, maxAttempts, secretParameters } = command;
  const after = { action, payload: withRedacted(payload, secretParameters), priority, notBefore, expiresAt, maxAttempts };
  return { by, action: 'commands.create', target: { type: 'command', id }, clientId, outcome: 'done', after };
}

/** The payload as it may be shown: that there is a secret, and not which. */
export function withRedacted(payload: Record<string, unknown>, secretParameters: readonly string[]): Record<string, unknown> {
  if (secretParameters.length === 0) return payload;
  return { ...payload, ...Object.fromEntries(secretParameters.map((name) => [name, REDACTED])) };
}

/** The same text for the same JSON value, whatever the order of its keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
