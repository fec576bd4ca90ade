import { Controller, Get, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type AgentPrincipal, Caller, ForAgents } from '../core/access/access';
import { NotFound } from '../core/errors/errors';
import { EventStream } from '../core/http/sse';
import { GatewayService } from './gateway.service';

/** The agents' streams. `me` stands for whichever client the key belongs to. */
@Controller('api/events')
export class EventsController {
  constructor(private readonly gateway: GatewayService) {}

  @ForAgents()
  @Get(':clientId')
  async connect(@Param('clientId') clientId: string, @Caller() agent: AgentPrincipal, @Res() reply: FastifyReply): Promise<void> {
    if (![agent.id, agent.name, 'me'].includes(clientId)) throw new NotFound('client');
    await this.gateway.attach(agent.id, agent.keyId, new EventStream(reply));
  }
}
