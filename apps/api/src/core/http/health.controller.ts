import { Controller, Get, Header, Res } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { FastifyReply } from 'fastify';
import { collectDefaultMetrics, register } from 'prom-client';
import type { DataSource } from 'typeorm';
import { Public } from '../access/access';
import { RedisClient } from '../queue/queue.module';

collectDefaultMetrics();

/** Whether this process lives, whether its parts are there (by name), and its figures for Prometheus. */
@Controller()
@Public()
export class HealthController {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly redis: RedisClient,
  ) {}

  @Get('health/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('health/ready')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<{ status: string; down: string[] }> {
    const checks: [string, Promise<unknown>][] = [['postgresql', this.database.query('SELECT 1')], ['redis', this.redis.ping()]];
    const results = await Promise.all(checks.map(([name, check]) => check.then(() => [], () => [name])));
    const down = results.flat();
    if (down.length > 0) void reply.status(503);
    return { status: down.length > 0 ? 'down' : 'ok', down };
  }

  @Get('metrics')
  @Header('Content-Type', register.contentType)
  metrics(): Promise<string> {
    return register.metrics();
  }
}
