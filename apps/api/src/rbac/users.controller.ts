import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Put, Query } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { type Page, ShortListDto, whole } from '../core/http/page.dto';
import type { PersonalTokenView } from '../identity/personal-tokens.service';
import type { SessionView } from '../identity/sessions.service';
import { CreateUserDto, ListUsersDto, SetRolesDto, UpdateUserDto } from './users.dto';
import { UsersService, type UserView } from './users.service';

/** People's accounts. An e-mail serves wherever the id does. */
@Controller('api/users')
@ForPeople('users.manage')
export class UsersController {
  constructor(private readonly users: UsersService) {}

  @Post()
  create(@Body() body: CreateUserDto, @Caller() caller: Person): Promise<UserView & { temporaryPassword?: string }> {
    return this.users.create(body, caller);
  }

  @Get()
  list(@Query() query: ListUsersDto): Promise<Page<UserView>> {
    return this.users.list(query);
  }

  @Get(':id')
  get(@Param('id') id: string): Promise<UserView> {
    return this.users.get(id);
  }

  @Patch(':id')
  update(@Param('id') id: string, @Body() body: UpdateUserDto, @Caller() caller: Person): Promise<UserView> {
    return this.users.update(id, body, caller);
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    return this.users.remove(id, caller);
  }

  @Put(':id/roles')
  setRoles(@Param('id') id: string, @Body() body: SetRolesDto, @Caller() caller: Person): Promise<UserView> {
    return this.users.setRoles(id, body.roles, caller);
  }

  /** For somebody who lost it. */
  @Delete(':id/second-factor')
  @HttpCode(204)
  resetSecondFactor(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    return this.users.resetSecondFactor(id, caller);
  }

  @Get(':id/sessions')
  async listSessions(@Param('id') id: string, @Query() query: ShortListDto): Promise<Page<SessionView>> {
    return whole(await this.users.listSessions(id), query);
  }

  /** All of them: the person has to log in again everywhere. */
  @Delete(':id/sessions')
  @HttpCode(204)
  endSessions(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    return this.users.endSessions(id, caller);
  }

  @Get(':id/tokens')
  async listTokens(@Param('id') id: string, @Query() query: ShortListDto): Promise<Page<PersonalTokenView>> {
    return whole(await this.users.listTokens(id), query);
  }

  @Delete(':id/tokens/:tokenId')
  @HttpCode(204)
  revokeToken(@Param('id') id: string, @Param('tokenId') tokenId: string, @Caller() caller: Person): Promise<void> {
    return this.users.revokeToken(id, tokenId, caller);
  }

  @Post(':id/reset-password')
  @HttpCode(200)
  resetPassword(@Param('id') id: string, @Caller() caller: Person): Promise<{ temporaryPassword: string }> {
    return this.users.resetPassword(id, caller);
  }
}
