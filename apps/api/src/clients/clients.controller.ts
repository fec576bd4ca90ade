import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import type { Page } from '../core/http/page.dto';
import { CreateClientDto, ListClientsDto, UpdateClientDto } from './clients.dto';
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
  list(@Query() query: ListClientsDto): Promise<Page<ClientView>> {
    return this.clients.list(query);
  }

  @ForPeople('clients.read')
  @Get(':id')
  get(@Param('id') id: string): Promise<ClientView> {
    return this.clients.get(id);
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
  rotateKey(@Param('id') id: string, @Caller() caller: Person): Promise<{ clientKey: string }> {
    return this.clients.rotateKey(id, caller);
  }
}
