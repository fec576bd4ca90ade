import { Global, Module } from '@nestjs/common';
import { RecentCallers } from '../access/recent-callers';
import { Bus } from './bus.service';

@Global()
@Module({ providers: [Bus, RecentCallers], exports: [Bus, RecentCallers] })
export class EventsModule {}
