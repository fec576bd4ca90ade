import { Controller, Get, Query } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, Max, Min } from 'class-validator';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { type Overview, OverviewReader } from './overview';

class OverviewDto {
  /** How far back the counts by time of creation go. */
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(168)
  hours = 6;
}

/** How the whole system does, as far as the caller may see it. */
@Controller('api/overview')
export class OverviewController {
  constructor(private readonly overview: OverviewReader) {}

  @ForPeople('commands.read')
  @Get()
  get(@Query() { hours }: OverviewDto, @Caller() caller: Person): Promise<Overview> {
    return this.overview.read(hours, caller);
  }
}
