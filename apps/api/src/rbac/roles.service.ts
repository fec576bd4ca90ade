import { Injectable } from '@nestjs/common';
import { InjectDataSource, InjectRepository } from '@nestjs/typeorm';
import type { DataSource, EntityManager, Repository } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { Conflict, InvalidInput, NotFound, Protected } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { RoleEntity } from '../identity/role.entity';
import { Holdings } from './holdings';
import type { CreateRoleDto, UpdateRoleDto } from './roles.dto';

/** Roles: sets of permissions. The built-in ones can be made to demand a second factor; else they cannot be changed or removed. */
@Injectable()
export class RolesService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    @InjectRepository(RoleEntity) private readonly roles: Repository<RoleEntity>,
    private readonly holdings: Holdings,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  list(): Promise<RoleEntity[]> {
    return this.roles.find({ order: { builtIn: 'DESC', name: 'ASC' } });
  }

  /** By id or name. */
  async get(idOrName: string, transaction: EntityManager = this.database.manager): Promise<RoleEntity> {
    const role = await transaction.getRepository(RoleEntity).findOneBy(isUuid(idOrName) ? { id: idOrName } : { name: idOrName });
    if (!role) throw new NotFound('role');
    return role;
  }

  /** The roles of these ids or names; names the first that is unknown at `path`. */
  async named(idsOrNames: readonly string[], path: string, transaction: EntityManager): Promise<RoleEntity[]> {
    const found: RoleEntity[] = [];
    for (const [index, idOrName] of idsOrNames.entries()) {
      const role = await this.get(idOrName, transaction).catch(() => {
        throw new InvalidInput([{ path: `${path}[${index}]`, message: `there is no role ${idOrName}` }]);
      });
      if (!found.some(({ id }) => id === role.id)) found.push(role);
    }
    return found;
  }

  async create(input: CreateRoleDto, by: Person): Promise<RoleEntity> {
    const id = uuid();
    await this.change(id, by, 'roles.create', async (transaction) => {
      await this.requireFreeName(input.name, id, transaction);
      await transaction.getRepository(RoleEntity).insert({ id, ...input, scope: input.scope ?? 'all', requiresSecondFactor: input.requiresSecondFactor ?? false, builtIn: false });
      return { id, after: await this.get(id, transaction) };
    });
    return this.get(id);
  }

  async update(idOrName: string, input: UpdateRoleDto, by: Person): Promise<RoleEntity> {
    const { requiresSecondFactor, ...others } = input;
    const { id } = Object.keys(others).length > 0 ? await this.requireOwn(idOrName) : await this.get(idOrName);
    await this.change(id, by, 'roles.update', async (transaction, users) => {
      const before = await this.get(id, transaction);
      // Whoever drops the demand opens the accounts of all who hold the role to those who know their passwords; whoever makes it suspends
      // the rights of all who have no factor.
      const turns = requiresSecondFactor !== undefined && requiresSecondFactor !== before.requiresSecondFactor;
      for (const userId of turns ? users : []) await this.holdings.requireOver(by, userId, transaction);
      if (input.name) await this.requireFreeName(input.name, id, transaction);
      if (Object.keys(input).length > 0) await transaction.getRepository(RoleEntity).update({ id }, input);
      return { id, before, after: await this.get(id, transaction) };
    });
    return this.get(id);
  }

  async remove(idOrName: string, by: Person): Promise<void> {
    const { id } = await this.requireOwn(idOrName);
    await this.change(id, by, 'roles.delete', async (transaction) => {
      const before = await this.get(id, transaction);
      await transaction.query('DELETE FROM user_roles WHERE role_id = $1', [id]);
      await transaction.getRepository(RoleEntity).delete({ id });
      return { id, before };
    });
  }

  private async change(
    id: string,
    by: Person,
    action: string,
    act: (transaction: EntityManager, users: string[]) => Promise<{ id: string; before?: RoleEntity; after?: RoleEntity }>,
  ): Promise<void> {
    const userIds = await this.database.transaction(async (transaction) => {
      await this.holdings.lock(transaction);
      // Under the lock: nobody gets or loses the role meanwhile.
      const affected = await this.holdings.aroundRole(id, transaction);
      await this.holdings.change(by, affected, transaction, async () => {
        const { id: _, ...difference } = await act(transaction, affected.users);
        await this.audit.record({ by, action, target: { type: 'role', id }, outcome: 'done', ...difference }, transaction);
      });
      return affected.users;
    });
    this.bus.publish('rights', { userIds });
  }

  private async requireOwn(idOrName: string): Promise<RoleEntity> {
    const role = await this.get(idOrName);
    if (role.builtIn) throw new Protected('built_in_role', `The role ${role.name} is built in and cannot be changed; make a role of your own instead`);
    return role;
  }

  private async requireFreeName(name: string, id: string, transaction: EntityManager): Promise<void> {
    const other = await transaction.getRepository(RoleEntity).findOneBy({ name });
    if (other && other.id !== id) throw new Conflict('name_taken', `There is a role named ${name} already`);
  }
}
