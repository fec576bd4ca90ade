import { Body, Controller, Get, Param, Put } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { SetGrantsDto } from './grants.dto';
import { GrantsService, type GrantView } from './grants.service';

/** Who may run what where: the grants of a client and of a group. */
@Controller('api')
@ForPeople('grants.manage')
export class GrantsController {
  constructor(private readonly grants: GrantsService) {}

  @Get('clients/:id/permissions')
  ofClient(@Param('id') id: string, @Caller() caller: Person): Promise<{ items: GrantView[] }> {
    return this.grants.ofClient(id, caller);
  }

  @Put('clients/:id/permissions')
  setOfClient(@Param('id') id: string, @Body() body: SetGrantsDto, @Caller() caller: Person): Promise<{ items: GrantView[] }> {
    return this.grants.setOfClient(id, body.items, caller);
  }

  @Get('groups/:name/permissions')
  ofGroup(@Param('name') name: string, @Caller() caller: Person): Promise<{ items: GrantView[] }> {
    return this.grants.ofGroup(name, caller);
  }

  @Put('groups/:name/permissions')
  setOfGroup(@Param('name') name: string, @Body() body: SetGrantsDto, @Caller() caller: Person): Promise<{ items: GrantView[] }> {
    return this.grants.setOfGroup(name, body.items, caller);
  }
}
