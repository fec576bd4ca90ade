import { ACTIONS, EMERGENCY_PRIORITY } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import { ClientsService } from '../clients/clients.service';
import type { AgentPrincipal, Person } from '../core/access/access';
import { HotDatabase } from '../core/database/hot-database';
import { refusalOf } from '../core/database/statement';
import { Conflict, InvalidInput, NotFound, StaleCaller } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { AccountsService } from '../identity/accounts.service';
import { RbacService } from '../rbac/rbac.service';
import { AgentWords } from './agent-words';
import { CommandMetrics } from './command-metrics';
import { CommandStore, type LockedCommand } from './command-store';
import type { CreateBatchDto, CreateCommandDto, PreviewDto, ResultDto } from './commands.dto';
import { Dispatcher } from './dispatcher';
import { IdempotencyKeys, type KeyedRequest } from './idempotency-keys';
import { Intake, type Receipt, unknownClient } from './intake';
import { asHandedOut, type NewCommand, withRedacted } from './new-command';
import { type AgentAction, inspectPayload } from './payload-inspector';
import { PayloadSecrets } from './payload-secrets.service';
import { RightOfWay } from './right-of-way';

/** How many machines a batch would go to, and which of them are off: those get it when they are back. */
export interface Preview {
  count: number;
  offline: number;
  /** The first of them. */
  offlineClients: { id: string; name: string }[];
}
const MOST_NAMED = 50;

export interface BatchReceipt {
  batchId: string;
  count: number;
}

/** The public face of commands: submit, cancel, retry for people; start, report for agents. */
@Injectable()
export class CommandsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly hot: HotDatabase,
    private readonly store: CommandStore,
    private readonly dispatcher: Dispatcher,
    private readonly intake: Intake,
    private readonly idempotency: IdempotencyKeys,
    private readonly rightOfWay: RightOfWay,
    private readonly words: AgentWords,
    private readonly clients: ClientsService,
    private readonly audit: AuditService,
    private readonly accounts: AccountsService,
    private readonly rbac: RbacService,
    private readonly secrets: PayloadSecrets,
    private readonly bus: Bus,
    private readonly metrics: CommandMetrics,
  ) {}

  /** Stores the command, then wakes its client. The same `idempotencyKey` gives the same command. */
  submit(input: CreateCommandDto, by: Person, idempotencyKey?: string): Promise<Receipt> {
    return this.asOfNow(by, (now) => this.submitAs(now, input, idempotencyKey));
  }

  /** Once more, by the rights of this moment, when those of the caller have changed since they were looked at. */
  private async asOfNow<T>(by: Person, submit: (by: Person) => Promise<T>): Promise<T> {
    try {
      return await submit(by);
    } catch (error) {
      if (!(error instanceof StaleCaller)) throw error;
      const again = await this.accounts.again(by);
      this.rbac.requirePermission(again, 'commands.create');
      return submit(again);
    }
  }

  private async submitAs(by: Person, input: CreateCommandDto, idempotencyKey?: string): Promise<Receipt> {
    const request = keyed(idempotencyKey, input, by);
    const earlier = await this.intake.earlier(request);
    if (earlier) return { earlier };
    const target = await this.target(input, by);
    const secret = inspectPayload(input.action, input.payload, target.actions);
    await this.rbac.requireMay(by, 'commands.create', input.action, [target.id], input.payload);
    const id = uuid();
    const command = { id, clientId: target.id, batchId: null, ...this.settings(input, id, secret, by) };
    return this.intake.add({ command, by, request });
  }

  /** The client that is meant, and the actions that its agent has. Whoever reaches all need not be asked: the insert finds out whether it is there. */
  private async target({ clientId, action }: CreateCommandDto, by: Person): Promise<{ id: string; actions: AgentAction[] }> {
    if (isUuid(clientId) && ACTIONS[action] && by.everywhere.includes('commands.create')) return { id: clientId.toLowerCase(), actions: [] };
    const client = await this.clients.get(clientId, by, 'commands.create').catch((error: unknown) => {
      throw error instanceof NotFound ? unknownClient(clientId) : error;
    });
    return { id: client.id, actions: (client.agent?.actions ?? []) };
  }

  /** An action of the agents' own must be one that all of them have, and the payload one that each of them takes. */
  private async inspectForAll({ action, payload }: CreateBatchDto, clientIds: readonly string[]): Promise<string[]> {
    if (ACTIONS[action]) return inspectPayload(action, payload, []);
    const descriptions = await this.clients.saidOf(action, clientIds);
    const secrets = descriptions.flatMap(({ said }) => (said ? inspectPayload(action, payload, [said]) : []));
    const missing = descriptions.find(({ said }) => !said);
    if (!missing) return [...new Set(secrets)];
    if (descriptions.length === 1) return inspectPayload(action, payload, []);
    throw new InvalidInput([{ path: 'action', message: `${missing.count} of these clients do not have the action ${action}, ${missing.example} for one` }]);
  }

  /** Which clients a batch would go to, as of now. */
  async preview({ targets, action }: PreviewDto, by: Person): Promise<Preview> {
    requireSomeTargets(targets);
    const ids = await this.clients.select(targets, action, by);
    const offlineClients = await this.clients.offlineOf(ids);
    return { count: ids.length, offline: offlineClients.length, offlineClients: offlineClients.slice(0, MOST_NAMED) };
  }

  submitBatch(input: CreateBatchDto, by: Person, idempotencyKey?: string): Promise<BatchReceipt> {
    return this.asOfNow(by, (now) => this.submitBatchAs(now, input, idempotencyKey));
  }

  private async submitBatchAs(by: Person, input: CreateBatchDto, idempotencyKey?: string): Promise<BatchReceipt> {
    requireSomeTargets(input.targets);
    const request = keyed(idempotencyKey, input, by);
    const earlier = await this.intake.earlier(request);
    if (earlier) return this.batchOf(earlier);
    const targets = await this.clients.select(input.targets, input.action, by);
    if (targets.length === 0) throw new InvalidInput([{ path: 'targets', message: 'no client is meant by these targets' }]);
    const secret = await this.inspectForAll(input, targets);
    await this.rbac.requireMay(by, 'commands.create', input.action, targets, input.payload);
    const isEmergency = input.priority === EMERGENCY_PRIORITY;
    const batchId = uuid();
    const ids = targets.map(() => uuid());
    const after = { action: input.action, payload: withRedacted(input.payload, secret), targets: input.targets, count: targets.length };
    const audited = this.audit.recording([{ by, action: 'commands.create_batch', target: { type: 'batch', id: batchId }, outcome: 'done', after }]);
    const settings = { batchId, ...this.settings(input, batchId, secret, by) };
    const handOut = async (): Promise<void> => {
      const answers = await this.hot.together([
        request ? this.idempotency.take([{ request, id: batchId }]) : null,
        this.store.insertBatch({ id: batchId, action: input.action, total: targets.length, createdBy: by.id }),
        // An emergency stands behind no claim; others are handed out a few hundred at a time.
        isEmergency ? this.store.hold(targets) : null,
        this.store.insert(settings, ids, targets, isEmergency),
        audited,
      ]);
      this.dispatcher.announce(answers[3].map(({ id, clientId, createdAt }) => asHandedOut({ ...settings, id, clientId }, createdAt)), isEmergency);
    };
    try {
      await (isEmergency ? this.rightOfWay.during(handOut) : handOut());
    } catch (fault) {
      const faster = request && refusalOf(fault) && (await this.idempotency.answerTo(request));
      if (!faster) throw fault;
      return this.batchOf(faster);
    }
    this.metrics.noteCreated(input.action, ids.length);
    this.intake.announce(ids, targets);
    return { batchId, count: ids.length };
  }

  private async batchOf(id: string): Promise<BatchReceipt> {
    const [batch] = await this.database.query<{ total: number }[]>('SELECT total FROM batches WHERE id = $1', [id]);
    return { batchId: id, count: batch?.total ?? 0 };
  }

  async cancel(id: string, by: Person): Promise<void> {
    const lock = this.store.lock.bind(this.store);
    const command = await this.change(id, lock, async (locked, transaction) => {
      if (locked.status === 'pending' || locked.status === 'dispatched') {
        await this.store.move(locked, 'cancelled', {}, { by: by.id }, transaction);
      } else if (locked.status === 'running') {
        await this.store.requestCancel(locked, by.id, transaction);
      } else {
        throw new Conflict('not_cancellable', `A command that is ${locked.status} cannot be cancelled`);
      }
      await this.record('commands.cancel', locked, by, transaction);
    });
    if (command.status === 'cancelled') this.metrics.noteEnded([command]);
    this.bus.publish('cancel', { clientId: command.clientId, id: command.id, attempt: command.attempt, reason: 'cancelled' });
    // kill point: cancel.after-commit
    this.settle(command);
  }

  async retry(id: string, by: Person): Promise<void> {
    const lock = this.store.lockWithClient.bind(this.store);
    const command = await this.change(id, lock, async (locked, transaction) => {
      if (!['failed', 'cancelled', 'expired', 'timed_out', 'indeterminate'].includes(locked.status)) {
        throw new Conflict('not_retryable', `A command that is ${locked.status} cannot be retried`);
      }
      if (!locked.hasClient) throw new Conflict('client_removed', 'The client was removed');
      await this.store.retry(locked, 0, by, transaction);
      await this.record('commands.retry', locked, by, transaction);
      // kill point: retry.before-commit
    });
    this.settle(command);
  }

  start(id: string, attempt: number | undefined, agent: AgentPrincipal): Promise<void> {
    return this.words.say({ kind: 'start', id, attempt, agent });
  }

  /** The agent's word on how an attempt ended. The same again is a no-op; another one for the same attempt is a conflict. */
  report(id: string, body: ResultDto, agent: AgentPrincipal): Promise<void> {
    return this.words.say({ kind: 'result', id, body, agent });
  }

  /** `owner` is the id of the batch, or of the command that has none. */
  private settings(
    input: CreateCommandDto | CreateBatchDto, owner: string, secretParameters: string[], by: Person,
  ): Omit<NewCommand, 'id' | 'clientId' | 'batchId'> {
    const { action, priority, timeoutMs, maxAttempts } = input;
    const { payload, sealedSecrets } = this.secrets.seal(input.payload, secretParameters, owner);
    const notBefore = input.notBefore ?? null;
    const expiresAt = input.expiresAt ?? null;
    if (notBefore && expiresAt && Date.parse(expiresAt) <= Date.parse(notBefore)) throw new InvalidInput([{ path: 'expiresAt', message: 'must be after notBefore' }]);
    const { id: createdBy, rightsVersion, origin: { traceparent } } = by;
    return { action, payload, priority, timeoutMs, maxAttempts, notBefore, expiresAt, createdBy, rightsVersion, secretParameters, sealedSecrets, traceparent };
  }

  private async change<Locked extends LockedCommand>(
    id: string,
    lock: (id: string, transaction: EntityManager) => Promise<Locked | undefined>,
    act: (command: Locked, transaction: EntityManager) => Promise<void>,
  ): Promise<Locked> {
    if (!isUuid(id)) throw new NotFound('command');
    return this.store.transaction(async (transaction) => {
      const command = await lock(id, transaction);
      if (!command) throw new NotFound('command');
      // kill point: change.before-moves
      await act(command, transaction);
      return command;
    });
  }

  private record(action: string, { id, clientId, attempt }: LockedCommand, by: Person, transaction: EntityManager): Promise<void> {
    return this.audit.record({ by, action, target: { type: 'command', id }, clientId, outcome: 'done', detail: { attempt } }, transaction);
  }

  private settle(command: LockedCommand): void {
    this.intake.announce([command.id], [command.clientId]);
  }
}

function requireSomeTargets({ clientIds, groups, labels, all }: PreviewDto['targets']): void {
  if (!clientIds && !groups && !labels && !all) {
    throw new InvalidInput([{ path: 'targets', message: 'name clientIds, groups, labels or all: true' }]);
  }
}

function keyed(key: string | undefined, body: object, by: Person): KeyedRequest | undefined {
  if (key === undefined) return undefined;
  if (key.length < 1 || key.length > 255) throw new InvalidInput([{ path: 'Idempotency-Key', message: 'must have 1 to 255 characters' }]);
  return { by, key, body };
}
