import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import type { Page } from '../core/http/page.dto';
import type { KeyView } from './client-keys.service';
import { CreateClientDto, ListClientsDto, RotateKeyDto, UpdateClientDto } from './clients.dto';
import { ClientsService, type ClientView } from './clients.service';

/** The machines, for people. A client's name serves wherever its id does. */
@Controller('api/clients')
export class ClientsController {
  constructor(private readonly clients: ClientsService) {}

  @ForPeople('clients.manage')
  @Post()
  create(@Body() body: CreateClientDto, @Caller() caller: Person): Promise<ClientView & { clientKey: string }> {
    return this.clients.create(body, caller);
  }

  @ForPeople('clients.read')
  @Get()
  list(@Query() query: ListClientsDto, @Caller() caller: Person): Promise<Page<ClientView>> {
    return this.clients.list(query, caller);
  }

  @ForPeople('clients.read')
  @Get(':id')
  get(@Param('id') id: string, @Caller() caller: Person): Promise<ClientView> {
    return this.clients.get(id, caller);
  }

  @ForPeople('clients.manage')
  @Patch(':id')
  update(@Param('id') id: string, @Body() body: UpdateClientDto, @Caller() caller: Person): Promise<ClientView> {
    return this.clients.update(id, body, caller);
  }

  @ForPeople('clients.manage')
  @Delete(':id')
  @HttpCode(204)
  remove(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    return this.clients.remove(id, caller);
  }

  @ForPeople('clients.manage')
  @Post(':id/rotate-key')
  @HttpCode(200)
  rotateKey(
    @Param('id') id: string,
    @Body() body: RotateKeyDto,
    @Caller() caller: Person,
  ): Promise<{ id: string; name: string; clientKey: string }> {
    return this.clients.rotateKey(id, caller, body.overlapSeconds);
  }

  @ForPeople('clients.manage')
  @Get(':id/keys')
  keys(@Param('id') id: string, @Caller() caller: Person): Promise<{ items: KeyView[] }> {
    return this.clients.listKeys(id, caller);
  }

  @ForPeople('clients.manage')
  @Delete(':id/keys/:keyId')
  @HttpCode(204)
  revokeKey(@Param('id') id: string, @Param('keyId') keyId: string, @Caller() caller: Person): Promise<void> {
    return this.clients.revokeKey(id, keyId, caller);
  }
}
