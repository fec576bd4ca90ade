import { Controller, Get, Header, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiProduces } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Public } from '../core/access/access';
import { InvalidInput } from '../core/errors/errors';
import { AgentBundle, type BundleView } from './agent-bundle.service';
import { InstallQueryDto } from './install.dto';

/** A name or an address, and a port: nothing that means something to a shell. */
const HOST = /^[\w.-]+(:\d+)?$|^\[[\da-f:.]+\](:\d+)?$/i;

/** How an agent comes onto a machine in one line. Nothing here is a secret; who may enrol is asked there. */
@Controller()
@Public()
export class InstallController {
  constructor(private readonly bundle: AgentBundle) {}

  /** The script for the address that was asked; behind a proxy, see TRUST_PROXY. */
  @Get('install.sh')
  @Header('Content-Type', 'text/x-shellscript; charset=utf-8')
  @Header('Cache-Control', 'no-store')
  @ApiProduces('text/x-shellscript')
  @ApiOkResponse({ schema: { type: 'string' } })
  script(@Query() { token }: InstallQueryDto, @Req() request: FastifyRequest): string {
    if (!HOST.test(request.host)) throw new InvalidInput([{ path: 'Host', message: 'must be a name or an address, and a port' }]);
    return this.bundle.installScript(`${request.protocol}://${request.host}`, token ?? '');
  }

  @Get('api/agent/bundle.json')
  view(): BundleView {
    return this.bundle.view();
  }

  /** The agent as one file for Node. */
  @Get('api/agent/bundle')
  @ApiProduces('text/javascript')
  @ApiOkResponse({ schema: { type: 'string', format: 'binary' } })
  bytes(@Res() reply: FastifyReply): void {
    const bytes = this.bundle.bytes();
    void reply.headers({ 'Content-Type': 'text/javascript; charset=utf-8', 'Content-Disposition': 'attachment; filename="agent.js"' }).send(bytes);
  }
}
