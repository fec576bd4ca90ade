import { ANY_ACTION, type ParameterLimits, type Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import type { Person, Rights } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { DomainError, Forbidden, NotFound } from '../core/errors/errors';
import { type Account, PeopleService } from '../identity/people.service';
import { Holdings } from './holdings';
import { type Fault, limitFaults } from './parameter-limits';

/** Somebody whose rights are asked about. */
type Holder = Rights & { id: string };

interface ReachRow {
  grantId: string;
  clientId: string;
  actions: string[];
  limits: ParameterLimits;
}

export interface Explanation {
  allowed: boolean;
  /** One sentence a reason, most decisive first. */
  reasons: string[];
  user: { id: string; email: string; roles: string[]; permissions: string[]; everywhere: boolean };
  client: { id: string; name: string; groups: string[] };
  /** Grants that name the person, or a role of theirs, on this client and allow the action. */
  grants: { grantId: string; actions: string[]; limits: ParameterLimits }[];
}

/** Some of several clients, or some parameter, are not the caller's to command. */
class NotGranted extends DomainError {
  constructor(detail: string, errors?: Fault[]) {
    super(403, 'not_granted', detail, errors);
  }
}

/** Answers who may do what to which client: as SQL conditions for everything that is listed, and in words. */
@Injectable()
export class RbacService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly people: PeopleService,
    private readonly holdings: Holdings,
  ) {}

  /** Narrows a query to the clients that `who` may see with `permission`; `column` holds the client's id. */
  narrowToClients(conditions: Conditions, who: Holder, permission: Permission, column: string): void {
    if (who.everywhere.includes(permission)) return;
    conditions.and(`${column} IN (SELECT reach.client_id FROM client_reach reach WHERE reach.user_id = ?)`, this.key(who, permission));
  }

  /** Narrows a query to the commands that `who` may see with `permission`; the columns hold the client's id and the action. */
  narrowToCommands(conditions: Conditions, who: Holder, permission: Permission, clientColumn: string, actionColumn: string): void {
    if (who.everywhere.includes(permission)) return;
    conditions.and(
      `EXISTS (SELECT 1 FROM client_reach reach WHERE reach.user_id = ? AND reach.client_id = ${clientColumn}
         AND (reach.actions @> '{${ANY_ACTION}}' OR reach.actions @> ARRAY[${actionColumn}]))`,
      this.key(who, permission),
    );
  }

  /** The clients within reach, when they are so few that asking each for its newest is the quickest; else null. */
  async fewClients(who: Holder, permission: Permission, atMost: number): Promise<string[] | null> {
    if (who.everywhere.includes(permission)) return null;
    const rows = await this.database.query<{ client_id: string }[]>('SELECT DISTINCT client_id FROM client_reach WHERE user_id = $1 LIMIT $2', [
      this.key(who, permission), atMost + 1,
    ]);
    return rows.length > atMost ? null : rows.map((row) => row.client_id);
  }

  /** Throws Forbidden unless `who` has the permission somewhere. */
  requirePermission(who: Holder, permission: Permission): void {
    if (!who.permissions.includes(permission)) throw lacks(permission);
  }

  /** Throws Forbidden unless `who` may do this to commands of `action` on all these clients, with this payload. */
  async requireMay(who: Holder, permission: Permission, action: string, clientIds: readonly string[], payload?: Record<string, unknown>): Promise<void> {
    const reason = await this.refusal(who, permission, action, clientIds, payload);
    if (reason) throw reason;
  }

  /** Those of the clients on which `who` has this permission for commands of `action`, whatever the limits on parameters. */
  async within(who: Holder, permission: Permission, action: string, clientIds: readonly string[]): Promise<string[]> {
    if (!who.permissions.includes(permission)) return [];
    if (who.everywhere.includes(permission)) return [...clientIds];
    return (await this.reach(who.id, action, clientIds)).map((row) => row.clientId);
  }

  /** Why not, or null. */
  async refusal(
    who: Holder, permission: Permission, action: string, clientIds: readonly string[], payload?: Record<string, unknown>, transaction?: EntityManager,
  ): Promise<DomainError | null> {
    if (!who.permissions.includes(permission)) return lacks(permission);
    if (who.everywhere.includes(permission)) return null;
    const rows = await this.reach(who.id, action, clientIds, transaction);
    const byClient = new Map<string, ReachRow[]>();
    for (const row of rows) byClient.set(row.clientId, [...(byClient.get(row.clientId) ?? []), row]);
    const without = clientIds.filter((id) => !byClient.has(id));
    if (without.length > 0) return new NotGranted(`No grant lets you run ${action} on ${without.length === 1 ? 'this client' : `${without.length} of these clients`}`);
    if (payload === undefined) return null;
    for (const grants of byClient.values()) {
      const faults = grants.map(({ limits }) => limitFaults(limits, action, payload));
      const closest = faults.sort((a, b) => a.length - b.length)[0] ?? [];
      if (closest.length > 0) return new NotGranted(closest.map(({ path, message }) => `${path}: ${message}`).join('; '), closest);
    }
    return null;
  }

  /** Whether somebody, as of now, may still create such a command; the reason when not. */
  async mayNoMore(userId: string, command: { action: string; clientId: string; payload: Record<string, unknown> }, transaction: EntityManager): Promise<string | null> {
    const account = await this.people.byId(userId, transaction);
    if (!account) return 'its creator was disabled';
    const refusal = await this.refusal(account, 'commands.create', command.action, [command.clientId], command.payload, transaction);
    return refusal && `its creator may no longer do this: ${refusal.message}`;
  }

  /** Why the person may, or may not, run `action` on the client, for `asker`, who must see it. */
  async explain(userIdOrEmail: string, action: string, clientIdOrName: string, asker: Holder): Promise<Explanation> {
    const [user] = await this.database.query<{ id: string; email: string; disabled: boolean; scope: string }[]>(
      `SELECT id, email, scope, disabled_at IS NOT NULL AS disabled FROM users
       WHERE deleted_at IS NULL AND ${isUuid(userIdOrEmail) ? 'id = $1' : 'lower(email) = lower($1)'}`,
      [userIdOrEmail],
    );
    if (!user) throw new NotFound('user');
    const conditions = new Conditions().and(`${isUuid(clientIdOrName) ? 'id' : 'name'} = ? AND deleted_at IS NULL`, clientIdOrName);
    this.narrowToClients(conditions, asker, 'clients.read', 'id');
    const [client] = await this.database.query<{ id: string; name: string; groups: string[] }[]>(
      `SELECT id, name, groups FROM clients WHERE ${conditions.sql}`, conditions.values,
    );
    if (!client) throw new NotFound('client');
    const account = await this.people.byId(user.id);
    const grants = await this.reach(user.id, action, [client.id]);
    const { allowed, reasons } = judge(account, user.scope, action, client.name, grants);
    const { roles = [], permissions = [], everywhere = [] } = account ?? {};
    return { allowed, reasons, user: { id: user.id, email: user.email, roles, permissions, everywhere: everywhere.includes('commands.create') }, client, grants };
  }

  /** Before a client joins `groups`: whoever puts it there must hold on it what the grants of those groups will give to others. */
  requireMayJoin(by: Person, client: { id: string; groups: string[] }, groups: readonly string[], transaction: EntityManager): Promise<void> {
    return this.holdings.requireMayJoin(by, client, groups, transaction);
  }

  /** Before a client leaves `groups`: what was decided by grants of those groups is decided again. */
  async doubtGrantsOf(groups: readonly string[], transaction: EntityManager): Promise<void> {
    await this.holdings.doubt(await this.holdings.inGroups(groups, transaction), transaction);
  }

  private reach(userId: string, action: string, clientIds: readonly string[], transaction: EntityManager = this.database.manager): Promise<ReachRow[]> {
    return transaction.query<ReachRow[]>(
      `SELECT grant_id AS "grantId", client_id AS "clientId", actions, limits FROM client_reach
       WHERE user_id = $1 AND client_id = ANY($2) AND (actions @> '{${ANY_ACTION}}' OR actions @> ARRAY[$3])`,
      [userId, clientIds, action],
    );
  }

  /** A person without the permission matches nobody's grants. */
  private key(who: Holder, permission: Permission): string | null {
    return who.permissions.includes(permission) ? who.id : null;
  }
}

const lacks = (permission: Permission): Forbidden => new Forbidden(`You need the permission ${permission}`);

function judge(account: Account | null, scope: string, action: string, client: string, grants: Explanation['grants']): { allowed: boolean; reasons: string[] } {
  if (!account) return { allowed: false, reasons: ['The account is disabled'] };
  if (!account.secondFactor.satisfied) return { allowed: false, reasons: ['A role of theirs demands a second factor, and the account has none'] };
  if (!account.permissions.includes('commands.create')) {
    return { allowed: false, reasons: [`None of the roles (${account.roles.join(', ') || 'none'}) has the permission commands.create`] };
  }
  if (account.everywhere.includes('commands.create')) {
    return { allowed: true, reasons: [`A role of scope "all" (of ${account.roles.join(', ')}) has the permission commands.create: it holds on every client`] };
  }
  const confined = scope === 'granted' ? 'The person is confined to grants' : 'The roles with commands.create hold only where a grant says so';
  if (grants.length === 0) return { allowed: false, reasons: [confined, `No grant on ${client} or its groups names the person or a role of theirs for ${action}`] };
  const limited = grants.every(({ limits }) => limits[action]);
  return { allowed: true, reasons: [confined, `${grants.length} grant(s) on ${client} or its groups allow ${action}${limited ? ', within limits on its parameters' : ''}`] };
}
