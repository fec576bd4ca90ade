import { PERMISSIONS, SCOPED_PERMISSIONS } from '@gwanje/contracts';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { type Page, ShortListDto, whole } from '../core/http/page.dto';
import type { RoleEntity } from '../identity/role.entity';
import { ExplainDto } from './explain.dto';
import { Explainer, type Explanation } from './explainer';
import { CreateRoleDto, UpdateRoleDto } from './roles.dto';
import { RolesService } from './roles.service';

/** Permissions and the roles that bundle them. A role's name serves wherever its id does. */
@Controller('api')
export class RolesController {
  constructor(
    private readonly roles: RolesService,
    private readonly explainer: Explainer,
  ) {}

  @ForPeople()
  @Get('permissions')
  permissions(): Page<{ name: string; scoped: boolean }> {
    const scoped: readonly string[] = SCOPED_PERMISSIONS;
    return { items: PERMISSIONS.map((name) => ({ name, scoped: scoped.includes(name) })), nextCursor: null };
  }

  /** Why somebody may, or may not, run an action, or use a permission, on a client. */
  @ForPeople('users.manage')
  @Get('permissions/explain')
  explain(@Query() query: ExplainDto, @Caller() caller: Person): Promise<Explanation> {
    return this.explainer.explain(query, caller);
  }

  @ForPeople('roles.manage')
  @Post('roles')
  create(@Body() body: CreateRoleDto, @Caller() caller: Person): Promise<RoleEntity> {
    return this.roles.create(body, caller);
  }

  @ForPeople()
  @Get('roles')
  async list(@Query() query: ShortListDto): Promise<Page<RoleEntity>> {
    return whole(await this.roles.list(), query);
  }

  @ForPeople()
  @Get('roles/:id')
  get(@Param('id') id: string): Promise<RoleEntity> {
    return this.roles.get(id);
  }

  @ForPeople('roles.manage')
  @Patch('roles/:id')
  update(@Param('id') id: string, @Body() body: UpdateRoleDto, @Caller() caller: Person): Promise<RoleEntity> {
    return this.roles.update(id, body, caller);
  }

  @ForPeople('roles.manage')
  @Delete('roles/:id')
  @HttpCode(204)
  remove(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    return this.roles.remove(id, caller);
  }
}
