import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { type FailedJob, SystemReader, type SystemView } from './system';

/** The system itself: whether its parts are well, what its queues hold, which processes hold the streams. */
@Controller('api/system')
export class SystemController {
  constructor(private readonly system: SystemReader) {}

  @ForPeople('system.read')
  @Get()
  get(): Promise<SystemView> {
    return this.system.read();
  }

  @ForPeople('system.read')
  @Get('queues/:name/failed')
  failed(@Param('name') name: string): Promise<{ items: FailedJob[] }> {
    return this.system.failed(name);
  }

  @ForPeople('system.manage')
  @Post('queues/:name/failed/:jobId/retry')
  @HttpCode(204)
  retry(@Param('name') name: string, @Param('jobId') jobId: string, @Caller() caller: Person): Promise<void> {
    return this.system.retry(name, jobId, caller);
  }
}
