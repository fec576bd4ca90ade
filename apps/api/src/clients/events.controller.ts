import { Controller, Get, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type AgentPrincipal, Caller, ForAgents, isSelf } from '../core/access/access';
import { InRole } from '../core/access/roles';
import { NotFound } from '../core/errors/errors';
import { EventStream } from '../core/http/sse';
import { GatewayService } from './gateway.service';

/** The agents' event streams; their WebSockets, which also carry what agents say, are the commands module's. */
@Controller('api/events')
@InRole('gateway')
export class EventsController {
  constructor(private readonly gateway: GatewayService) {}

  @ForAgents()
  @Get(':clientId')
  async connect(@Param('clientId') clientId: string, @Caller() agent: AgentPrincipal, @Res() reply: FastifyReply): Promise<void> {
    if (!isSelf(agent, clientId)) throw new NotFound('client');
    await this.gateway.attach(agent.id, agent.keyId, new EventStream(reply));
  }
}
