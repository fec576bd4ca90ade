import { ANY_ACTION, type ParameterLimits, type Permission, SCOPED_PERMISSIONS } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { validate as isUuid } from 'uuid';
import type { Rights, SecondFactorState } from '../core/access/access';
import { Conditions } from '../core/database/conditions';
import { InvalidInput, NotFound } from '../core/errors/errors';
import { type Account, PeopleService } from '../identity/people.service';
import type { ExplainDto } from './explain.dto';
import { type Fault, limitFaults } from './parameter-limits';
import { RbacService } from './rbac.service';

export interface Explanation {
  allowed: boolean;
  /** One sentence a reason, most decisive first. */
  reasons: string[];
  user: {
    id: string;
    email: string;
    roles: string[];
    permissions: string[];
    /** Whether the permission asked for holds on every client. */
    everywhere: boolean;
    /** `unprovenSessions` are open and may do nothing until they prove the factor that the account has; null of a disabled account. */
    secondFactor: (SecondFactorState & { unprovenSessions: number }) | null;
  };
  client: { id: string; name: string; groups: string[] };
  /** Grants that name the person, or a role of theirs, on this client and allow the action. */
  grants: ExplainedGrant[];
}

interface ExplainedGrant {
  grantId: string;
  /** The role that it names; null when it names the person. */
  role: string | null;
  /** The group that it holds for; null when it holds for the client alone. */
  group: string | null;
  actions: string[];
  limits: ParameterLimits;
  /** What of the payload its limits refuse; absent when no payload was given. */
  faults?: Fault[];
}

interface Question {
  permission: Permission;
  action?: string;
  payload?: Record<string, unknown>;
}

/** Tells in words why somebody may, or may not, do something; decides nothing. */
@Injectable()
export class Explainer {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly people: PeopleService,
    private readonly rbac: RbacService,
  ) {}

  /** For `asker`, who must see the client. Throws NotFound and InvalidInput. */
  async explain(query: ExplainDto, asker: Rights & { id: string }): Promise<Explanation> {
    const question = questionOf(query);
    const [user] = await this.database.query<{ id: string; email: string; scope: string; unproven: number }[]>(
      `SELECT id, email, scope, (SELECT count(*)::integer FROM sessions s
         WHERE s.user_id = u.id AND s.revoked_at IS NULL AND s.expires_at > now() AND NOT s.second_factor) AS unproven
       FROM users u WHERE deleted_at IS NULL AND ${isUuid(query.user) ? 'id = $1' : 'account_key(email) = account_key($1)'}`,
      [query.user],
    );
    if (!user) throw new NotFound('user');
    const conditions = new Conditions().and(`${isUuid(query.client) ? 'id' : 'name'} = ? AND deleted_at IS NULL`, query.client);
    this.rbac.narrowToClients(conditions, asker, 'clients.read', 'id');
    const [client] = await this.database.query<Explanation['client'][]>(`SELECT id, name, groups FROM clients WHERE ${conditions.sql}`, conditions.values);
    if (!client) throw new NotFound('client');
    const account = await this.people.byId(user.id);
    const grants = (await this.grants(user.id, client.id, question.action)).map((grant) => withFaults(grant, question));
    const unprovenSessions = account?.secondFactor.enabled ? user.unproven : 0;
    const { allowed, reasons } = judge(account, user.scope, question, client.name, grants);
    if (unprovenSessions > 0) reasons.push(`${unprovenSessions} open session(s) of theirs have not proven the second factor, and may do nothing until they do`);
    const { roles = [], permissions = [] } = account ?? {};
    const secondFactor = account && { ...account.secondFactor, unprovenSessions };
    const everywhere = account?.everywhere.includes(placeOf(question.permission)) ?? false;
    return { allowed, reasons, user: { id: user.id, email: user.email, roles, permissions, everywhere, secondFactor }, client, grants };
  }

  /** Those of the client that name the person or a role of theirs, for this action or for any. */
  private grants(userId: string, clientId: string, action?: string): Promise<ExplainedGrant[]> {
    const conditions = new Conditions().and('reach.user_id = ? AND reach.client_id = ?', userId, clientId);
    if (action !== undefined) conditions.and(`reach.actions @> '{${ANY_ACTION}}' OR reach.actions @> ARRAY[?]`, action);
    return this.database.query<ExplainedGrant[]>(
      `SELECT reach.grant_id AS "grantId", r.name AS role, p.group_name AS "group", reach.actions, reach.limits
       FROM client_reach reach JOIN client_permissions p ON p.id = reach.grant_id LEFT JOIN roles r ON r.id = p.role_id
       WHERE ${conditions.sql} ORDER BY p.id`,
      conditions.values,
    );
  }
}

function questionOf({ action, permission = 'commands.create', payload }: ExplainDto): Question {
  const aboutCommands = permission.startsWith('commands.');
  const faults: Fault[] = [];
  if (action === undefined && permission === 'commands.create') faults.push({ path: 'action', message: 'name an action, or another permission than commands.create' });
  if (action !== undefined && !aboutCommands) faults.push({ path: 'action', message: `${permission} knows no actions: leave it out` });
  if (payload !== undefined && action === undefined) faults.push({ path: 'payload', message: 'belongs to an action: name it' });
  if (faults.length > 0) throw new InvalidInput(faults);
  return { permission, ...(action !== undefined && { action }), ...(payload !== undefined && { payload: parse(payload) }) };
}

function parse(payload: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InvalidInput([{ path: 'payload', message: 'must be a JSON object' }]);
}

const isScoped = (permission: Permission): boolean => (SCOPED_PERMISSIONS as readonly Permission[]).includes(permission);

/** The permission that says where: grants are managed on the clients that one may see. */
const placeOf = (permission: Permission): Permission => (permission === 'grants.manage' ? 'clients.read' : permission);

function withFaults(grant: ExplainedGrant, { action, payload }: Question): ExplainedGrant {
  return payload === undefined || action === undefined ? grant : { ...grant, faults: limitFaults(grant.limits, action, payload) };
}

function judge(account: Account | null, scope: string, question: Question, client: string, grants: ExplainedGrant[]): Pick<Explanation, 'allowed' | 'reasons'> {
  const { permission, action } = question;
  const no = (...reasons: string[]): Pick<Explanation, 'allowed' | 'reasons'> => ({ allowed: false, reasons });
  const yes = (...reasons: string[]): Pick<Explanation, 'allowed' | 'reasons'> => ({ allowed: true, reasons });
  if (!account) return no('The account is disabled');
  if (!account.secondFactor.satisfied) return no('A role of theirs demands a second factor, and the account has none');
  const roles = account.roles.join(', ') || 'none';
  if (!account.permissions.includes(permission)) return no(`None of the roles (${roles}) has the permission ${permission}`);
  const place = placeOf(permission);
  if (!isScoped(place)) return yes(`A role (of ${roles}) has the permission ${permission}, which is bound to no client`);
  if (account.everywhere.includes(place)) return yes(`A role of scope "all" (of ${roles}) has the permission ${place}: it holds on every client`);
  const confined = scope === 'granted' ? 'The person is confined to grants' : `The roles with ${place} hold only where a grant says so`;
  const what = action === undefined ? '' : ` for ${action}`;
  if (grants.length === 0) return no(confined, `No grant on ${client} or its groups names the person or a role of theirs${what}`);
  const open = grants.filter(({ faults = [] }) => faults.length === 0);
  if (open.length === 0) return no(...grants.map((grant) => refusalBy(grant)), confined);
  const limited = question.payload === undefined && action !== undefined && open.every(({ limits }) => Object.hasOwn(limits, action));
  return yes(confined, `${open.length} grant(s) on ${client} or its groups allow ${action ?? permission}${limited ? ', within limits on its parameters' : ''}`);
}

function refusalBy({ grantId, role, group, faults = [] }: ExplainedGrant): string {
  const whom = role === null ? 'the person' : `the role ${role}`;
  const where = group === null ? 'the client' : `the group ${group}`;
  return `The grant ${grantId}, of ${whom} on ${where}, refuses ${faults.map(({ path, message }) => `${path}: ${message}`).join('; ')}`;
}
