import { Global, Module } from '@nestjs/common';
import { HeardAgents } from '../access/heard-agents';
import { RecentCallers } from '../access/recent-callers';
import { Config } from '../config/config';
import { AmqpTransport } from './amqp-transport';
import { Bus } from './bus.service';
import { NewsSources } from './news-sources';
import { NewsTransport } from './news-transport';
import { RedisTransport } from './redis-transport';

const transport = {
  provide: NewsTransport,
  inject: [Config],
  useFactory: ({ BUS_URL, REDIS_URL }: Config): NewsTransport => (BUS_URL ? new AmqpTransport(BUS_URL) : new RedisTransport(REDIS_URL)),
};

@Global()
@Module({ providers: [transport, Bus, HeardAgents, NewsSources, RecentCallers], exports: [Bus, HeardAgents, NewsSources, NewsTransport, RecentCallers] })
export class EventsModule {}
