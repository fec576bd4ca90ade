import { Global, Module } from '@nestjs/common';
import { RateLimits } from '../access/rate-limits';
import { HealthController } from './health.controller';
import { MetricSources } from './metric-sources';

@Global()
@Module({ controllers: [HealthController], providers: [MetricSources, RateLimits], exports: [MetricSources, RateLimits] })
export class HttpModule {}
