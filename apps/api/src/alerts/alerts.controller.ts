import type { Alert, AlertChannel, AlertDelivery } from '@gwanje/contracts';
import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { Forbidden } from '../core/errors/errors';
import { type Page, ShortListDto, whole } from '../core/http/page.dto';
import { AlertReader } from './alert-reader';
import { CreateChannelDto, CreateRuleDto, ListAlertsDto, ListDeliveriesDto, UpdateChannelDto, UpdateRuleDto } from './alerts.dto';
import { ChannelBook } from './channel-book';
import { Postman } from './postman';
import { RuleBook } from './rule-book';

type Rules = Awaited<ReturnType<RuleBook['list']>>;

/** What fired, within the caller's reach. Rules and channels are about all clients: they are for those whose permission holds everywhere. */
@Controller('api/alerts')
export class AlertsController {
  constructor(
    private readonly alerts: AlertReader,
    private readonly rules: RuleBook,
    private readonly channels: ChannelBook,
    private readonly postman: Postman,
  ) {}

  @ForPeople('alerts.read')
  @Get()
  list(@Query() query: ListAlertsDto, @Caller() caller: Person): Promise<Page<Alert>> {
    return this.alerts.list(query, caller);
  }

  @ForPeople('alerts.read')
  @Get('rules')
  async listRules(@Query() query: ShortListDto, @Caller() caller: Person): Promise<Page<Rules[number]>> {
    requireEverywhere(caller, 'alerts.read');
    return whole(await this.rules.list(), query);
  }

  @ForPeople('alerts.manage')
  @Post('rules')
  createRule(@Body() body: CreateRuleDto, @Caller() caller: Person): Promise<Rules[number]> {
    requireEverywhere(caller, 'alerts.manage');
    return this.rules.create(body, caller);
  }

  @ForPeople('alerts.manage')
  @Patch('rules/:id')
  async updateRule(@Param('id') id: string, @Body() body: UpdateRuleDto, @Caller() caller: Person): Promise<Rules[number]> {
    requireEverywhere(caller, 'alerts.manage');
    const rule = await this.rules.update(id, body, caller);
    await this.postman.sweep();
    return rule;
  }

  @ForPeople('alerts.manage')
  @Delete('rules/:id')
  @HttpCode(204)
  async removeRule(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    requireEverywhere(caller, 'alerts.manage');
    await this.rules.remove(id, caller);
    await this.postman.sweep();
  }

  /** With their addresses, which may be secrets. */
  @ForPeople('alerts.manage')
  @Get('channels')
  async listChannels(@Query() query: ShortListDto, @Caller() caller: Person): Promise<Page<AlertChannel>> {
    requireEverywhere(caller, 'alerts.manage');
    return whole(await this.channels.list(), query);
  }

  /** The answer shows the secret that a webhook is signed with, once. */
  @ForPeople('alerts.manage')
  @Post('channels')
  createChannel(@Body() body: CreateChannelDto, @Caller() caller: Person): Promise<AlertChannel & { secret?: string }> {
    requireEverywhere(caller, 'alerts.manage');
    return this.channels.create(body, caller);
  }

  @ForPeople('alerts.manage')
  @Patch('channels/:id')
  updateChannel(@Param('id') id: string, @Body() body: UpdateChannelDto, @Caller() caller: Person): Promise<AlertChannel> {
    requireEverywhere(caller, 'alerts.manage');
    return this.channels.update(id, body, caller);
  }

  @ForPeople('alerts.manage')
  @Delete('channels/:id')
  @HttpCode(204)
  removeChannel(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    requireEverywhere(caller, 'alerts.manage');
    return this.channels.remove(id, caller);
  }

  /** Ends the old secret at once; the answer shows the new one, once. */
  @ForPeople('alerts.manage')
  @Post('channels/:id/rotate-secret')
  @HttpCode(200)
  rotateSecret(@Param('id') id: string, @Caller() caller: Person): Promise<{ id: string; secret: string }> {
    requireEverywhere(caller, 'alerts.manage');
    return this.channels.rotateSecret(id, caller);
  }

  /** Sends a test by the way that alerts take; what becomes of it is among the deliveries. */
  @ForPeople('alerts.manage')
  @Post('channels/:id/test')
  @HttpCode(202)
  async testChannel(@Param('id') id: string, @Caller() caller: Person): Promise<{ deliveryId: string }> {
    requireEverywhere(caller, 'alerts.manage');
    const ordered = await this.channels.test(id, caller);
    await this.postman.sweep();
    return ordered;
  }

  @ForPeople('alerts.read')
  @Get('deliveries')
  deliveries(@Query() query: ListDeliveriesDto, @Caller() caller: Person): Promise<Page<AlertDelivery>> {
    requireEverywhere(caller, 'alerts.read');
    return this.alerts.deliveries(query);
  }

  @ForPeople('alerts.manage')
  @Post('deliveries/:id/retry')
  @HttpCode(204)
  async retry(@Param('id') id: string, @Caller() caller: Person): Promise<void> {
    requireEverywhere(caller, 'alerts.manage');
    await this.alerts.retry(id, caller);
    await this.postman.sweep();
  }
}

function requireEverywhere(by: Person, permission: 'alerts.read' | 'alerts.manage'): void {
  if (!by.everywhere.includes(permission)) throw new Forbidden(`You need the permission ${permission} on all clients`);
}
