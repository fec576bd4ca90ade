import { Controller, Get, Header, Res } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { FastifyReply } from 'fastify';
import { collectDefaultMetrics, register } from 'prom-client';
import type { DataSource } from 'typeorm';
import { Public } from '../access/access';
import { InRole } from '../access/roles';
import { NewsTransport } from '../events/news-transport';
import { RedisClient } from '../queue/queue.module';
import { MetricSources } from './metric-sources';

/** The delay of the event loop is taken so often: at each time the process wakes, also where it has nothing else to do. */
const LOOP_DELAY_MS = 50;
collectDefaultMetrics({ eventLoopMonitoringPrecision: LOOP_DELAY_MS });

/** Whether this process lives, whether its parts are there (by name), and its figures for Prometheus. */
@Controller()
@Public()
@InRole('any')
export class HealthController {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly redis: RedisClient,
    private readonly sources: MetricSources,
    private readonly transport: NewsTransport,
  ) {}

  @Get('health/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('health/ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<{ status: string; down: string[] }> {
    const checks: [string, Promise<unknown>][] = [['postgresql', this.database.query('SELECT 1')], ['redis', this.redis.ping()]];
    if (this.transport.part !== 'redis') checks.push([this.transport.part, this.transport.connected ? Promise.resolve() : Promise.reject(new Error('not connected'))]);
    const results = await Promise.all(checks.map(([name, check]) => check.then(() => [], () => [name])));
    const down = results.flat();
    if (down.length > 0) void reply.status(503);
    return { status: down.length > 0 ? 'down' : 'ok', down };
  }

  @Get('metrics')
  @Header('Content-Type', register.contentType)
  async metrics(): Promise<string> {
    await this.sources.refresh();
    return register.metrics();
  }
}
