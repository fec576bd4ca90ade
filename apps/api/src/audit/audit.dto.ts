import type { AuditExportFormat, AuditOutcome } from '@gwanje/contracts';
import { IntersectionType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsISO8601, IsObject, IsOptional, IsString, Matches, Max, MaxLength, Min, MinLength, ValidateNested } from 'class-validator';
import { PageDto } from '../core/http/page.dto';

/** What PostgreSQL takes as well: a calendar date, or a date and time with its zone. */
const INSTANT = /^(?!0000)\d{4}-\d{2}-\d{2}(T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-](0\d|1[0-4]):[0-5]\d))?$/;
const instant = { message: '$property must be a date, or a date and time with its zone, such as 2026-01-31T08:00:00Z' };
const action = { message: 'action must be an action such as commands.create, or a prefix such as commands.*' };
const STORABLE = /^\P{Cc}*$/u;

/** What narrows a list or an export; all given parts hold. */
export class AuditFilterDto {
  /** An id, an e-mail, or a client's name. */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(254) @Matches(STORABLE)
  actor?: string;

  /** Exact, or a prefix such as `commands.*`. */
  @IsOptional() @IsString() @MaxLength(100) @Matches(/^\w+(\.\w+)*(\.\*)?$/, action)
  action?: string;

  /** The target's id. */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(300) @Matches(STORABLE)
  target?: string;

  @IsOptional() @IsISO8601({ strict: true }) @Matches(INSTANT, instant)
  from?: string;

  /** Exclusive. */
  @IsOptional() @IsISO8601({ strict: true }) @Matches(INSTANT, instant)
  to?: string;

  @IsOptional() @IsIn(['done', 'refused'])
  outcome?: AuditOutcome;
}

export class ListAuditDto extends IntersectionType(PageDto, AuditFilterDto) {}

export class ListCheckpointsDto {
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(200)
  limit = 50;

  /** The number of the last checkpoint seen. */
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(Number.MAX_SAFE_INTEGER)
  cursor?: number;
}

export class CreateExportDto {
  @IsIn(['csv', 'ndjson'])
  format: AuditExportFormat;

  @IsOptional() @IsObject() @ValidateNested() @Type(() => AuditFilterDto)
  filter?: AuditFilterDto;
}
