import { Global, Module } from '@nestjs/common';
import { HeardAgents } from '../access/heard-agents';
import { RecentCallers } from '../access/recent-callers';
import { Bus } from './bus.service';

@Global()
@Module({ providers: [Bus, HeardAgents, RecentCallers], exports: [Bus, HeardAgents, RecentCallers] })
export class EventsModule {}
