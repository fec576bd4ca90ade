import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Res, StreamableFile } from '@nestjs/common';
import { ApiOkResponse } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { InRole } from '../core/access/roles';
import { type Page, PageDto } from '../core/http/page.dto';
import { EventStream } from '../core/http/sse';
import { Traced } from '../core/tracing/http-spans';
import { StreamWarden } from '../identity/stream-warden.service';
import { type ArtifactView, ArtifactsService } from './artifacts.service';
import { CommandReader } from './command-reader';
import type { CommandView } from './command-view';
import { CreateBatchDto, CreateCommandDto, ListCommandsDto, PreviewDto } from './commands.dto';
import { type BatchReceipt, CommandsService, type Preview } from './commands.service';
import { OutputService } from './output.service';

/** Commands, for people and scripts. */
@Controller('api')
export class CommandsController {
  constructor(
    private readonly commands: CommandsService,
    private readonly reader: CommandReader,
    private readonly output: OutputService,
    private readonly artifacts: ArtifactsService,
    private readonly warden: StreamWarden,
  ) {}

  @ForPeople('commands.create', { checkedAgain: true })
  @Traced('begins')
  @Post('commands')
  async create(
    @Body() body: CreateCommandDto,
    @Caller() caller: Person,
    @Headers('idempotency-key') key?: string,
  ): Promise<CommandView> {
    const receipt = await this.commands.submit(body, caller, key);
    return 'stored' in receipt ? receipt.stored : this.reader.get(receipt.earlier, caller, 'commands.create');
  }

  @ForPeople('commands.create')
  @Post('commands/preview')
  @HttpCode(200)
  preview(@Body() body: PreviewDto, @Caller() caller: Person): Promise<Preview> {
    return this.commands.preview(body, caller);
  }

  @ForPeople('commands.create')
  @Traced('begins')
  @Post('commands/batch')
  createBatch(
    @Body() body: CreateBatchDto,
    @Caller() caller: Person,
    @Headers('idempotency-key') key?: string,
  ): Promise<BatchReceipt> {
    return this.commands.submitBatch(body, caller, key);
  }

  @ForPeople('commands.read')
  @Get('batches/:id')
  batch(@Param('id') id: string, @Caller() caller: Person): ReturnType<CommandReader['batch']> {
    return this.reader.batch(id, caller);
  }

  @ForPeople('commands.read')
  @Get('commands')
  list(@Query() query: ListCommandsDto, @Caller() caller: Person): Promise<Page<CommandView>> {
    return this.reader.list(query, caller);
  }

  @ForPeople('commands.read')
  @Get('commands/:id')
  get(@Param('id') id: string, @Caller() caller: Person): Promise<CommandView> {
    return this.reader.get(id, caller);
  }

  @ForPeople('commands.read')
  @Get('clients/:id/queue')
  queue(@Param('id') id: string, @Query() query: PageDto, @Caller() caller: Person): Promise<Page<CommandView>> {
    return this.reader.queue(id, query, caller);
  }

  @ForPeople('commands.cancel')
  @Post('commands/:id/cancel')
  @HttpCode(200)
  async cancel(@Param('id') id: string, @Caller() caller: Person): Promise<CommandView> {
    await this.reader.requireMay(caller, 'commands.cancel', id);
    await this.commands.cancel(id, caller);
    return this.reader.get(id, caller, 'commands.cancel');
  }

  @ForPeople('commands.retry')
  @Post('commands/:id/retry')
  @HttpCode(200)
  async retry(@Param('id') id: string, @Caller() caller: Person): Promise<CommandView> {
    await this.reader.requireMay(caller, 'commands.retry', id);
    await this.commands.retry(id, caller);
    return this.reader.get(id, caller, 'commands.retry');
  }

  @ForPeople('commands.read')
  @Get('commands/:id/logs')
  logs(@Param('id') id: string, @Caller() caller: Person): Promise<{ items: unknown[] }> {
    return this.reader.logs(id, caller);
  }

  @ForPeople('commands.read')
  @Get('commands/:id/output')
  @ApiOkResponse({ schema: { type: 'object', properties: { items: { type: 'array', items: { type: 'object' } } } } })
  async readOutput(@Param('id') id: string, @Caller() caller: Person): Promise<StreamableFile> {
    await this.reader.get(id, caller);
    return new StreamableFile(Readable.from(this.output.read(id)), { type: 'application/json; charset=utf-8' });
  }

  @ForPeople('commands.read')
  @InRole('gateway')
  @Get('commands/:id/stream')
  async stream(
    @Param('id') id: string, @Caller() caller: Person, @Res() reply: FastifyReply, @Headers('last-event-id') lastEventId?: string,
  ): Promise<void> {
    await this.reader.get(id, caller);
    const open = await this.output.watch(id, lastEventId, async () => {
      const stream = await EventStream.open(reply);
      this.warden.watch(stream, caller);
      return stream;
    });
    if (!open) void reply.status(204).send();
  }

  @ForPeople('commands.read')
  @Get('commands/:id/artifacts')
  async listArtifacts(@Param('id') id: string, @Caller() caller: Person): Promise<{ items: ArtifactView[] }> {
    await this.reader.get(id, caller);
    return this.artifacts.list(id);
  }

  @ForPeople('commands.read')
  @Get('commands/:id/artifacts/:artifactId')
  async artifact(@Param('id') id: string, @Param('artifactId') artifactId: string, @Caller() caller: Person, @Res() reply: FastifyReply): Promise<void> {
    await this.reader.get(id, caller);
    const { artifact, bytes } = await this.artifacts.open(id, artifactId);
    void reply
      .header('Content-Type', artifact.contentType)
      .header('Content-Disposition', `attachment; filename*=UTF-8''${encodeURIComponent(artifact.name)}`)
      .header('X-Content-Type-Options', 'nosniff')
      .send(bytes);
    return Promise.resolve();
  }
}
