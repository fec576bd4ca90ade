import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GatewayService } from '../clients/gateway.service';
import { type AgentPrincipal, Caller, ForAgents, isSelf } from '../core/access/access';
import { InRole } from '../core/access/roles';
import { Hidden } from '../core/errors/errors';
import { EventSocket } from '../core/http/event-socket';
import { acceptWebSocket } from '../core/http/upgrade';
import { AgentConversation } from './agent-conversation';
import { AgentFrames } from './agent-frames';

const DESCRIPTION = `Text messages, each a JSON object. The server sends \`{ event, id?, data }\` with the events of \`GET /api/events/{clientId}\`.
The agent may send \`{ event: "session" | "start" | "output" | "result", ref, data }\`, \`data\` being the body of the call of the same name
and the command's \`id\` beside it, and gets \`{ event: "answer", ref, data: { status, body } }\`. What is no such frame is answered with
\`{ event: "error", ref?, data: <problem document> }\`. The server pings every 28 s. Artifacts go over HTTP.`;

/** The agents' WebSockets: the same events as on their event streams, and the agents' own words in return. */
@Controller('api/ws')
@InRole('gateway')
export class AgentSocketController {
  constructor(
    private readonly gateway: GatewayService,
    private readonly frames: AgentFrames,
  ) {}

  @ForAgents()
  @Get(':clientId')
  @ApiOperation({ summary: 'WebSocket of an agent', description: DESCRIPTION })
  async connect(@Param('clientId') clientId: string, @Caller() agent: AgentPrincipal, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    if (!isSelf(agent, clientId)) throw new Hidden('clients.connect', { type: 'client', id: clientId });
    const socket = new EventSocket(acceptWebSocket(request, reply), request.raw.socket);
    new AgentConversation(socket, agent, this.frames);
    await this.gateway.attach(agent.id, agent.keyId, socket);
  }
}
