import { ALIVE_EVERY_MS } from '@gwanje/contracts';
import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type AgentPrincipal, Caller, ForAgents, isSelf } from '../core/access/access';
import { InRole } from '../core/access/roles';
import { Hidden } from '../core/errors/errors';
import { EventStream } from '../core/http/sse';
import { DescribeWholeNumber, WholeNumber } from '../core/http/whole-number';
import { GatewayService } from './gateway.service';

const PROMISE = `Milliseconds within which the agent promises to say something, by \`POST /api/agents/alive\` when it has nothing else to say. Its
stream is ended when the server hears nothing for half as long again. Without a promise it is never ended for silence.`;

/** The agents' event streams; their WebSockets, which also carry what agents say, are the commands module's. */
@Controller('api/events')
@InRole('gateway')
export class EventsController {
  constructor(private readonly gateway: GatewayService) {}

  @ForAgents()
  @Get(':clientId')
  @DescribeWholeNumber('aliveEveryMs', ALIVE_EVERY_MS, PROMISE)
  async connect(
    @Param('clientId') clientId: string,
    @Caller() agent: AgentPrincipal,
    @Res() reply: FastifyReply,
    @Query('aliveEveryMs', new WholeNumber(ALIVE_EVERY_MS)) aliveEveryMs?: number,
  ): Promise<void> {
    if (!isSelf(agent, clientId)) throw new Hidden('clients.connect', { type: 'client', id: clientId });
    await this.gateway.attach(agent.id, agent.keyId, await EventStream.open(reply), aliveEveryMs);
  }
}
