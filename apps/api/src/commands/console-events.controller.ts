import { Controller, Get, Headers, Query, Res } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsIn, IsOptional } from 'class-validator';
import type { FastifyReply } from 'fastify';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { InRole } from '../core/access/roles';
import { NEWS_TOPICS, type NewsTopic } from '../core/events/news-sources';
import { EventStream } from '../core/http/sse';
import { StreamWarden } from '../identity/stream-warden.service';
import { NewsDesk } from './news-desk';

class EventsDto {
  /** Comma-separated; all by default. Of each topic the caller hears as far as their permission and their reach go. */
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.split(',') : value))
  @IsIn(NEWS_TOPICS, { each: true })
  topics?: NewsTopic[];
}

/** One stream for a whole console: what changed among what the caller may see. */
@Controller('api/events')
@InRole('gateway')
export class ConsoleEventsController {
  constructor(
    private readonly news: NewsDesk,
    private readonly warden: StreamWarden,
  ) {}

  @ForPeople()
  @Get()
  async connect(
    @Query() query: EventsDto, @Caller() caller: Person, @Res() reply: FastifyReply, @Headers('last-event-id') lastEventId?: string,
  ): Promise<void> {
    const stream = await EventStream.open(reply);
    this.warden.watch(stream, caller);
    await this.news.watch(caller, query.topics ?? NEWS_TOPICS, lastEventId, stream).catch((error: unknown) => {
      // The answer has begun: a stream that could not be set up ends, and its reader comes back.
      stream.end();
      throw error;
    });
  }
}
