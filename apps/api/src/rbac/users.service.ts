import type { Scope } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { Conflict, NotFound, Protected } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { page, type Page } from '../core/http/page.dto';
import { PasswordsService } from '../identity/passwords.service';
import { PeopleService } from '../identity/people.service';
import { PersonalTokensService, type PersonalTokenView } from '../identity/personal-tokens.service';
import { SecondFactorService } from '../identity/second-factor.service';
import { SessionsService, type SessionView } from '../identity/sessions.service';
import { UserEntity } from '../identity/user.entity';
import { Holdings } from './holdings';
import { RolesService } from './roles.service';
import type { CreateUserDto, ListUsersDto, UpdateUserDto } from './users.dto';

export interface UserView {
  id: string;
  email: string;
  name: string;
  roles: string[];
  scope: Scope;
  disabled: boolean;
  /** Whether the account has one. */
  secondFactor: boolean;
  createdAt: Date;
}

/**
 * People's accounts, for those who administer them. Whoever changes anything of an account must hold all that its person holds; nobody
 * gives what they lack, and the last admin stays.
 */
@Injectable()
export class UsersService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly roles: RolesService,
    private readonly holdings: Holdings,
    private readonly people: PeopleService,
    private readonly passwords: PasswordsService,
    private readonly secondFactor: SecondFactorService,
    private readonly sessions: SessionsService,
    private readonly tokens: PersonalTokensService,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  async list({ q, cursor, limit }: ListUsersDto): Promise<Page<UserView>> {
    const query = this.database.manager
      .createQueryBuilder(UserEntity, 'u')
      .leftJoinAndSelect('u.roles', 'r')
      .where('u.deletedAt IS NULL')
      .orderBy('u.id', 'DESC')
      .take(limit + 1);
    if (q) query.andWhere(`strpos(lower(u.name || ' ' || u.email), lower(:q)) > 0`, { q });
    if (cursor) query.andWhere('u.id < :cursor', { cursor });
    return page(await this.views(await query.getMany(), this.database.manager), limit);
  }

  /** By id or e-mail. */
  async get(idOrEmail: string): Promise<UserView> {
    return this.view(idOrEmail, this.database.manager);
  }

  /** Answers the made-up password once when none was given. */
  async create(input: CreateUserDto, by: Person): Promise<UserView & { temporaryPassword?: string }> {
    const id = uuid();
    const temporaryPassword = input.password === undefined ? this.passwords.makeUp() : undefined;
    const passwordHash = await this.passwords.hashNew(input.password ?? temporaryPassword ?? '');
    await this.change(by, 'users.create', id, async (transaction) => {
      const { email, name, scope = 'all' } = input;
      await this.requireFreeEmail(email, id, transaction);
      await transaction.getRepository(UserEntity).insert({ id, email, name, scope, passwordHash });
      await this.assign(id, input.roles ?? [], transaction);
    });
    return { ...(await this.get(id)), ...(temporaryPassword && { temporaryPassword }) };
  }

  async update(idOrEmail: string, input: UpdateUserDto, by: Person): Promise<UserView> {
    const { id } = await this.find(idOrEmail, this.database.manager);
    const { password, disabled, ...fields } = input;
    const passwordHash = password === undefined ? undefined : await this.passwords.hashNew(password);
    await this.change(by, 'users.update', id, async (transaction) => {
      if (password !== undefined) requireAnother(id, by, 'password');
      const user = await this.find(id, transaction);
      if (input.email) await this.requireFreeEmail(input.email, id, transaction);
      const changes = {
        ...fields,
        ...(passwordHash && { passwordHash }),
        ...(disabled !== undefined && { disabledAt: disabled ? (user.disabledAt ?? new Date()) : null }),
      };
      if (Object.keys(changes).length > 0) await transaction.getRepository(UserEntity).update({ id }, changes);
      if (passwordHash || disabled) await this.sessions.endAll(id, transaction);
      await this.requireAnAdmin(transaction);
    });
    return this.get(id);
  }

  /** A new made-up password, shown once; every session of the person ends. */
  async resetPassword(idOrEmail: string, by: Person): Promise<{ temporaryPassword: string }> {
    const temporaryPassword = this.passwords.makeUp();
    await this.update(idOrEmail, { password: temporaryPassword }, by);
    return { temporaryPassword };
  }

  /** For somebody who lost it: they log in without until they enrol a new one; every session of theirs ends. */
  async resetSecondFactor(idOrEmail: string, by: Person): Promise<void> {
    const { id } = await this.find(idOrEmail, this.database.manager);
    await this.change(by, 'users.reset_second_factor', id, async (transaction) => {
      requireAnother(id, by, 'second-factor');
      await this.secondFactor.reset(id, transaction);
    });
  }

  async listSessions(idOrEmail: string): Promise<SessionView[]> {
    return this.sessions.list(await this.find(idOrEmail, this.database.manager));
  }

  async endSessions(idOrEmail: string, by: Person): Promise<void> {
    const { id } = await this.find(idOrEmail, this.database.manager);
    await this.change(by, 'users.end_sessions', id, (transaction) => this.sessions.endAll(id, transaction));
  }

  async listTokens(idOrEmail: string): Promise<PersonalTokenView[]> {
    return this.tokens.list(await this.find(idOrEmail, this.database.manager));
  }

  async revokeToken(idOrEmail: string, tokenId: string, by: Person): Promise<void> {
    const { id } = await this.find(idOrEmail, this.database.manager);
    await this.change(by, 'users.revoke_token', id, (transaction) => this.tokens.revokeOf(id, tokenId, transaction), { tokenId });
  }

  async setRoles(idOrEmail: string, roles: string[], by: Person): Promise<UserView> {
    const { id } = await this.find(idOrEmail, this.database.manager);
    await this.change(by, 'users.set_roles', id, async (transaction) => {
      await this.assign(id, roles, transaction);
      await this.requireAnAdmin(transaction);
    });
    return this.get(id);
  }

  /** The account stays as the author of what it did; its e-mail is free again. */
  async remove(idOrEmail: string, by: Person): Promise<void> {
    const { id } = await this.find(idOrEmail, this.database.manager);
    await this.change(by, 'users.delete', id, async (transaction) => {
      const now = new Date();
      await transaction.getRepository(UserEntity).update({ id }, { disabledAt: now, deletedAt: now });
      await transaction.query('DELETE FROM client_permissions WHERE user_id = $1', [id]);
      await this.assign(id, [], transaction);
      await this.sessions.endAll(id, transaction);
      await this.requireAnAdmin(transaction);
    });
  }

  private async change(
    by: Person, action: string, id: string, act: (transaction: EntityManager) => Promise<void>, detail?: Record<string, unknown>,
  ): Promise<void> {
    await this.database.transaction(async (transaction) => {
      await this.holdings.lock(transaction);
      await this.holdings.requireOver(by, id, transaction);
      await this.holdings.change(by, { users: [id] }, transaction, async () => {
        const before = await this.snapshot(id, transaction);
        await act(transaction);
        const after = await this.snapshot(id, transaction);
        const difference = { ...(before && { before }), ...(after && { after }), ...(detail && { detail }) };
        await this.audit.record({ by, action, target: { type: 'user', id }, outcome: 'done', ...difference }, transaction);
      });
    });
    this.bus.publish('rights', { userIds: [id] });
  }

  private async assign(id: string, idsOrNames: string[], transaction: EntityManager): Promise<void> {
    const roles = await this.roles.named(idsOrNames, 'roles', transaction);
    await transaction.query('DELETE FROM user_roles WHERE user_id = $1', [id]);
    await transaction.query('INSERT INTO user_roles (user_id, role_id) SELECT $1, unnest($2::uuid[])', [id, roles.map((role) => role.id)]);
  }

  private async requireAnAdmin(transaction: EntityManager): Promise<void> {
    if (!(await this.people.hasAdmin(transaction))) throw new Protected('last_admin', 'This is the last admin: make another one first');
  }

  private async requireFreeEmail(email: string, id: string, transaction: EntityManager): Promise<void> {
    const [other] = await transaction.query<unknown[]>(
      'SELECT 1 FROM users WHERE account_key(email) = account_key($1) AND deleted_at IS NULL AND id <> $2', [email, id],
    );
    if (other) throw new Conflict('email_taken', `There is an account of ${email} already`);
  }

  private async find(idOrEmail: string, transaction: EntityManager): Promise<UserEntity> {
    const user = await transaction
      .createQueryBuilder(UserEntity, 'u')
      .leftJoinAndSelect('u.roles', 'r')
      .where(isUuid(idOrEmail) ? 'u.id = :key' : 'account_key(u.email) = account_key(:key)', { key: idOrEmail })
      .andWhere('u.deletedAt IS NULL')
      .getOne();
    if (!user) throw new NotFound('user');
    return user;
  }

  private async snapshot(id: string, transaction: EntityManager): Promise<UserView | null> {
    return this.view(id, transaction).catch((error: unknown) => {
      if (error instanceof NotFound) return null;
      throw error;
    });
  }

  private async view(idOrEmail: string, transaction: EntityManager): Promise<UserView> {
    const [view] = await this.views([await this.find(idOrEmail, transaction)], transaction);
    if (!view) throw new NotFound('user');
    return view;
  }

  private async views(users: UserEntity[], transaction: EntityManager): Promise<UserView[]> {
    const rows = await transaction.query<{ id: string }[]>(
      'SELECT user_id AS id FROM second_factors WHERE user_id = ANY($1) AND confirmed_at IS NOT NULL', [users.map(({ id }) => id)],
    );
    const withFactor = new Set(rows.map(({ id }) => id));
    return users.map((user) => viewOf(user, withFactor.has(user.id)));
  }
}

function viewOf({ id, email, name, roles, scope, disabledAt, createdAt }: UserEntity, secondFactor: boolean): UserView {
  return { id, email, name, roles: roles.map((role) => role.name).sort(), scope, disabled: disabledAt !== null, secondFactor, createdAt };
}

/** What proves who somebody is, they replace by proving it: a session that was left open must not be enough. */
function requireAnother(id: string, by: Person, what: 'password' | 'second-factor'): void {
  if (id === by.id) throw new Conflict('own_account', `Of your own account, change it with /api/auth/${what}, which asks who you are`);
}
