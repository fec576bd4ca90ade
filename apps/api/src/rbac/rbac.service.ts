import { ANY_ACTION, type ParameterLimits, type Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import type { Person, Rights } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { DomainError, Forbidden } from '../core/errors/errors';
import { PeopleService } from '../identity/people.service';
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

/** Some of several clients, or some parameter, are not the caller's to command. */
class NotGranted extends DomainError {
  constructor(detail: string, errors?: Fault[]) {
    super(403, 'not_granted', detail, errors);
  }
}

/** Answers who may do what to which client: as SQL conditions for everything that is listed, and by a refusal. */
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

  /**
   * Narrows a query to the commands that `who` may see with `permission`; the columns hold the client's id and the action. Without an
   * action it is about the client itself.
   */
  narrowToCommands(conditions: Conditions, who: Holder, permission: Permission, clientColumn: string, actionColumn: string): void {
    if (who.everywhere.includes(permission)) return;
    conditions.and(
      `EXISTS (SELECT 1 FROM client_reach reach WHERE reach.user_id = ? AND reach.client_id = ${clientColumn}
         AND (${actionColumn} IS NULL OR reach.actions @> '{${ANY_ACTION}}' OR reach.actions @> ARRAY[${actionColumn}]))`,
      this.key(who, permission),
    );
  }

  /** The clients that `who` reaches with `permission` by grants, with the actions, as a subquery of `client_id` and `actions`. */
  reachOf(conditions: Conditions, who: Holder, permission: Permission): string {
    return conditions.bind(
      `SELECT reach.client_id, array_agg(DISTINCT action) AS actions FROM client_reach reach, unnest(reach.actions) action
       WHERE reach.user_id = ? GROUP BY reach.client_id`,
      this.key(who, permission),
    );
  }

  /** Whether it is no more than `atMost` clients. */
  async reachesFew(who: Holder, permission: Permission, atMost: number): Promise<boolean> {
    const text = 'SELECT DISTINCT client_id FROM client_reach WHERE user_id = $1 LIMIT $2';
    const rows = await this.database.query<unknown[]>(text, [this.key(who, permission), atMost + 1]);
    return !this.isEverywhere(who, permission) && rows.length <= atMost;
  }

  isEverywhere(who: Holder, permission: Permission): boolean {
    return who.everywhere.includes(permission);
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

  /** Before a client joins or leaves groups: whoever moves it must hold on it what the grants of those groups give to others. */
  requireMayMove(by: Person, client: { id: string; groups: string[] }, move: { joins: string[]; leaves: string[] }, transaction: EntityManager): Promise<void> {
    return this.holdings.requireMayMove(by, client, move, transaction);
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
