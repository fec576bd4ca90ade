import { Controller, Get, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProduces } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { ForAgents } from '../core/access/access';
import { AgentBundle, type SignedRelease } from './agent-bundle.service';

/** A newer version for agents that are enrolled. They check the signature themselves: this server has no key to make one. */
@Controller('api/agents/release')
@ForAgents()
export class AgentReleaseController {
  constructor(private readonly bundle: AgentBundle) {}

  @Get()
  release(): SignedRelease {
    return this.bundle.release();
  }

  @Get('bundle')
  @ApiProduces('text/javascript')
  @ApiOkResponse({ schema: { type: 'string', format: 'binary' } })
  bytes(@Res() reply: FastifyReply): void {
    void reply.header('Content-Type', 'text/javascript; charset=utf-8').send(this.bundle.bytes());
  }
}
