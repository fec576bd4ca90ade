import type { SessionResponse } from '@gwanje/contracts';
import { Body, Controller, Headers, HttpCode, Param, Post, Req } from '@nestjs/common';
import { parse as parseDisposition } from 'content-disposition';
import type { FastifyRequest } from 'fastify';
import { type AgentPrincipal, Caller, ForAgents } from '../core/access/access';
import { InvalidInput } from '../core/errors/errors';
import { Traced } from '../core/tracing/http-spans';
import { type ArtifactView, ArtifactsService } from './artifacts.service';
import { OutputDto, ResultDto, SessionDto, StartDto } from './commands.dto';
import { AgentSessions } from './agent-sessions';
import { CommandsService } from './commands.service';
import { OutputService } from './output.service';

/** What agents say of their commands. */
@Controller('api')
@ForAgents()
export class AgentCommandsController {
  constructor(
    private readonly sessions: AgentSessions,
    private readonly commands: CommandsService,
    private readonly output: OutputService,
    private readonly artifacts: ArtifactsService,
  ) {}

  @Post('agents/session')
  @HttpCode(200)
  session(@Body() body: SessionDto, @Caller() agent: AgentPrincipal): Promise<SessionResponse> {
    return this.sessions.open(body, agent);
  }

  @ForAgents({ checkedAgain: true })
  @Traced('continues')
  @Post('commands/:id/start')
  @HttpCode(200)
  async start(@Param('id') id: string, @Body() body: StartDto, @Caller() agent: AgentPrincipal): Promise<object> {
    await this.commands.start(id, body.attempt, agent);
    return {};
  }

  @Post('commands/:id/output')
  @HttpCode(200)
  async append(@Param('id') id: string, @Body() body: OutputDto, @Caller() agent: AgentPrincipal): Promise<object> {
    await this.output.append(id, body, agent);
    return {};
  }

  @ForAgents({ checkedAgain: true })
  @Traced('continues')
  @Post('commands/:id/result')
  @HttpCode(200)
  async result(@Param('id') id: string, @Body() body: ResultDto, @Caller() agent: AgentPrincipal): Promise<object> {
    await this.commands.report(id, body, agent);
    return {};
  }

  /** The bytes as they are; the file's name percent-encoded in `X-File-Name`, or in `Content-Disposition`. */
  @Post('commands/:id/artifacts')
  addArtifact(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Caller() agent: AgentPrincipal,
    @Headers('content-type') contentType = 'application/octet-stream',
    @Headers('x-file-name') fileName?: string,
    @Headers('content-disposition') disposition = '',
  ): Promise<ArtifactView> {
    const name = fileName === undefined ? parseDisposition(disposition).parameters['filename'] : decode(fileName);
    const bounded = [...(name || 'artifact')].slice(0, 255).join('').replaceAll('\u0000', '\ufffd');
    // Of an empty file there is nothing to be read.
    return this.artifacts.add(id, request.body ?? Buffer.alloc(0), contentType, bounded, agent);
  }
}

function decode(fileName: string): string {
  try {
    return decodeURIComponent(fileName);
  } catch {
    throw new InvalidInput([{ path: 'X-File-Name', message: 'must be percent-encoded UTF-8' }]);
  }
}
