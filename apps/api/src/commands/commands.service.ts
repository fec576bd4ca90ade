import type { CommandState, JsonSchema, SessionResponse } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import { ClientsService } from '../clients/clients.service';
import type { AgentPrincipal, Person } from '../core/access/access';
import { Conflict, Hidden, InvalidInput, NotFound } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { RbacService } from '../rbac/rbac.service';
import { CommandStore, type LockedCommand } from './command-store';
import type { CreateBatchDto, CreateCommandDto, ResultDto, SessionDto } from './commands.dto';
import { Dispatcher } from './dispatcher';
import { inspectPayload } from './payload-inspector';

/** The public face of commands: submit, cancel, retry for people; session, start, report for agents. */
@Injectable()
export class CommandsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly store: CommandStore,
    private readonly dispatcher: Dispatcher,
    private readonly clients: ClientsService,
    private readonly audit: AuditService,
    private readonly rbac: RbacService,
    private readonly bus: Bus,
  ) {}

  /** Stores the command, then wakes its client. The same `idempotencyKey` gives the same command. Returns its id. */
  async submit(input: CreateCommandDto, by: Person, idempotencyKey?: string): Promise<string> {
    const client = await this.clients.get(input.clientId, by, 'commands.create').catch((error: unknown) => {
      throw error instanceof NotFound ? new InvalidInput([{ path: 'clientId', message: 'there is no such client' }]) : error;
    });
    const secret = inspectPayload(input.action, input.payload, (client.agent?.actions ?? []) as { name: string; schema?: JsonSchema }[]);
    await this.rbac.requireMay(by, 'commands.create', input.action, [client.id], input.payload);
    const id = uuid();
    const stored = await this.store.transaction(async (transaction) => {
      const earlier = await this.claimKey(idempotencyKey, input, id, by, transaction);
      if (earlier) return earlier;
      await this.store.insert(this.settings(input, null, secret, by), [id], [client.id], transaction);
      await this.record('commands.create', { id, clientId: client.id }, by, transaction, { action: input.action });
      return id;
    });
    if (stored === id) await this.announce([id], [client.id]);
    return stored;
  }

  async submitBatch(input: CreateBatchDto, by: Person, idempotencyKey?: string): Promise<{ batchId: string; count: number }> {
    const { clientIds, groups, labels, all } = input.targets;
    if (!clientIds && !groups && !labels && !all) {
      throw new InvalidInput([{ path: 'targets', message: 'name clientIds, groups, labels or all: true' }]);
    }
    const targets = await this.clients.select(input.targets, input.action, by);
    if (targets.length === 0) throw new InvalidInput([{ path: 'targets', message: 'no client is meant by these targets' }]);
    const secret = inspectPayload(input.action, input.payload, []);
    await this.rbac.requireMay(by, 'commands.create', input.action, targets, input.payload);
    const batchId = uuid();
    const ids = targets.map(() => uuid());
    const stored = await this.store.transaction(async (transaction) => {
      const earlier = await this.claimKey(idempotencyKey, input, batchId, by, transaction);
      if (earlier) return earlier;
      await transaction.query('INSERT INTO batches (id, action, total, created_by) VALUES ($1, $2, $3, $4)', [
        batchId, input.action, targets.length, by.id,
      ]);
      await this.store.insert(this.settings(input, batchId, secret, by), ids, targets, transaction);
      await this.record('commands.create_batch', { id: batchId }, by, transaction, { action: input.action, count: targets.length });
      return batchId;
    });
    if (stored === batchId) await this.announce(ids, targets);
    const [batch] = await this.database.query<{ total: number }[]>('SELECT total FROM batches WHERE id = $1', [stored]);
    return { batchId: stored, count: batch?.total ?? 0 };
  }

  async cancel(id: string, by: Person): Promise<void> {
    const command = await this.change(id, null, async (locked, transaction) => {
      if (locked.status === 'pending' || locked.status === 'dispatched') {
        await this.store.move(locked, 'cancelled', {}, { by: by.id }, transaction);
      } else if (locked.status === 'running') {
        await this.store.requestCancel(locked, by.id, transaction);
      } else {
        throw new Conflict('not_cancellable', `A command that is ${locked.status} cannot be cancelled`);
      }
      await this.record('commands.cancel', locked, by, transaction);
    });
    this.bus.publish('cancel', { clientId: command.clientId, id, attempt: command.attempt, reason: 'cancelled' });
    await this.settle(command);
  }

  async retry(id: string, by: Person): Promise<void> {
    const command = await this.change(id, null, async (locked, transaction) => {
      if (!['failed', 'cancelled', 'expired', 'timed_out', 'indeterminate'].includes(locked.status)) {
        throw new Conflict('not_retryable', `A command that is ${locked.status} cannot be retried`);
      }
      await this.store.retry(locked, 0, by, transaction);
      await this.record('commands.retry', locked, by, transaction);
    });
    await this.settle(command);
  }

  async start(id: string, attempt: number | undefined, agent: AgentPrincipal): Promise<void> {
    const command = await this.ofAgent(id, agent, 'commands.start', async (locked, transaction) => {
      this.requireAttempt(locked, attempt);
      if (locked.status === 'running') return;
      if (locked.status !== 'dispatched') throw new Conflict('not_startable', `The command is ${locked.status}`);
      await this.store.move(locked, 'running', {}, {}, transaction);
    });
    this.bus.publish('commands', { ids: [command.id] });
  }

  /** The agent's word on how an attempt ended. The same again is a no-op; another one for the same attempt is a conflict. */
  async report(id: string, body: ResultDto, agent: AgentPrincipal): Promise<void> {
    const command = await this.ofAgent(id, agent, 'commands.result', async (locked, transaction) => {
      const attempt = body.attempt ?? locked.attempt;
      const { attempt: _, ...said } = JSON.parse(JSON.stringify(body)) as Record<string, unknown>;
      if (locked.reported?.attempt === attempt) {
        if (isDeepStrictEqual(locked.reported.body, said)) return;
        throw new Conflict('result_differs', 'Another result was reported for this attempt');
      }
      this.requireAttempt(locked, attempt);
      if (!['dispatched', 'running', 'timed_out', 'indeterminate'].includes(locked.status)) {
        throw new Conflict('command_ended', `The command is ${locked.status} and takes no result`);
      }
      const refused = body.outcome === 'refused';
      const to: CommandState = body.outcome === 'refused' ? 'failed' : (body.outcome ?? (body.success ? 'completed' : 'failed'));
      const set = {
        reported: JSON.stringify({ attempt, body: said }),
        result: JSON.stringify({ success: body.success, data: body.data ?? null, durationMs: body.durationMs ?? null }),
        error_message: body.error ?? (to === 'completed' ? null : `the agent reported ${to}`),
      };
      await this.store.move(locked, to, set, { success: body.success, ...(body.error && { error: body.error }) }, transaction);
      if (!refused && (to === 'failed' || to === 'timed_out')) await this.store.retryIfDue(locked, true, transaction);
      await this.audit.record(
        { by: agent, action: 'commands.result', target: { type: 'command', id }, clientId: agent.id, outcome: refused ? 'refused' : 'done', detail: { state: to } },
        transaction,
      );
    });
    await this.settle(command);
  }

  /** What agent and server each believe is in flight, compared before the stream goes live. */
  async openSession(input: SessionDto, agent: AgentPrincipal): Promise<SessionResponse> {
    await this.clients.describeAgent(agent.id, { version: input.version, platform: input.platform, actions: input.actions });
    const drop = await this.store.transaction(async (transaction) => {
      const believed = await this.store.inFlight(agent.id, transaction);
      const held = new Map(input.inFlight.map((entry) => [entry.id, entry]));
      for (const command of believed) {
        const entry = held.get(command.id);
        const same = entry?.attempt === command.attempt;
        if (command.status === 'dispatched' && same && entry.state === 'started') {
          await this.store.move(command, 'running', {}, { by: 'session' }, transaction);
        } else if (command.status === 'running' && !same) {
          const error = 'the agent no longer knows of this command: it may or may not have happened';
          await this.store.move(command, 'indeterminate', { error_message: error }, {}, transaction);
          await this.store.retryIfDue(command, false, transaction);
        }
      }
      const started = input.inFlight.filter((entry) => entry.state === 'started').map(({ id }) => id);
      const settleable = await this.store.provisional(agent.id, started, transaction);
      const current = new Map([...believed, ...settleable].map((command) => [command.id, command.attempt]));
      return input.inFlight
        .filter((entry) => entry.state !== 'finished' && current.get(entry.id) !== entry.attempt)
        .map(({ id }) => id);
    });
    return { sessionId: uuid(), drop };
  }

  private settings(input: CreateCommandDto | CreateBatchDto, batchId: string | null, secretParameters: string[], by: Person): Parameters<CommandStore['insert']>[0] {
    const { action, payload, priority, timeoutMs, maxAttempts } = input;
    const notBefore = input.notBefore ?? null;
    const expiresAt = input.expiresAt ?? null;
    return { batchId, action, payload, priority, timeoutMs, maxAttempts, notBefore, expiresAt, createdBy: by.id, rightsVersion: by.rightsVersion, secretParameters };
  }

  /** Takes the key for `id`, or answers whose it is already. */
  private async claimKey(key: string | undefined, body: object, id: string, by: Person, transaction: EntityManager): Promise<string | null> {
    if (key === undefined) return null;
    if (key.length < 1 || key.length > 255) throw new InvalidInput([{ path: 'Idempotency-Key', message: 'must have 1 to 255 characters' }]);
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

  private requireAttempt(command: LockedCommand, attempt: number | undefined): void {
    if (attempt !== undefined && attempt !== command.attempt) {
      throw new Conflict('stale_attempt', `The command is at attempt ${command.attempt}, not ${attempt}`);
    }
  }

  private async change(
    id: string,
    clientId: string | null,
    act: (command: LockedCommand, transaction: EntityManager) => Promise<void>,
  ): Promise<LockedCommand> {
    if (!isUuid(id)) throw new NotFound('command');
    return this.store.transaction(async (transaction) => {
      const command = await this.store.lock(id, clientId, transaction);
      if (!command) throw new NotFound('command');
      await act(command, transaction);
      return command;
    });
  }

  /** An agent sees and answers only its own commands; anything else is 404, and audited. */
  private async ofAgent(id: string, agent: AgentPrincipal, action: string, act: Parameters<CommandsService['change']>[2]): Promise<LockedCommand> {
    try {
      return await this.change(id, agent.id, act);
    } catch (error) {
      throw error instanceof NotFound ? new Hidden(action, { type: 'command', id }) : error;
    }
  }

  private record(action: string, target: { id: string; clientId?: string }, by: Person, transaction: EntityManager, detail?: Record<string, unknown>): Promise<void> {
    const { id, clientId } = target;
    const type = action.endsWith('_batch') ? 'batch' : 'command';
    return this.audit.record({ by, action, target: { type, id }, outcome: 'done', ...(clientId && { clientId }), ...(detail && { detail }) }, transaction);
  }

  /** After the commit: whoever watches is told, and the clients are looked at. */
  private async announce(ids: string[], clientIds: string[]): Promise<void> {
    this.bus.publish('commands', { ids });
    await this.dispatcher.wake(clientIds).catch(() => undefined /* stored: the sweeper finds it */);
  }

  private async settle(command: LockedCommand): Promise<void> {
    await this.announce([command.id], [command.clientId]);
  }
}

/** The same text for the same JSON value, whatever the order of its keys. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
