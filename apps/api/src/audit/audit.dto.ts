import type { AuditExportFormat, AuditOutcome } from '@gwanje/contracts';
import { IntersectionType } from '@nestjs/swagger';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsObject, IsOptional, IsString, Matches, Max, MaxLength, Min, MinLength, ValidateNested } from 'class-validator';
import { IsInstant } from '../core/http/instant';
import { PageDto } from '../core/http/page.dto';
import { Tidy } from '../core/http/tidy';

const action = { message: 'action must be an action such as commands.create, or a prefix such as commands.*' };
const STORABLE = /^\P{Cc}*$/u;

/** What narrows a list or an export; all given parts hold. */
export class AuditFilterDto {
  /** An id, an e-mail, or a client's name. */
  @Tidy() @IsOptional() @IsString() @MinLength(1) @MaxLength(254) @Matches(STORABLE)
  actor?: string;

  /** Exact, or a prefix such as `commands.*`. */
  @IsOptional() @IsString() @MaxLength(100) @Matches(/^\w+(\.\w+)*(\.\*)?$/, action)
  action?: string;

  /** The target's id. */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(300) @Matches(STORABLE)
  target?: string;

  @IsOptional() @IsInstant()
  from?: string;

  /** Exclusive. */
  @IsOptional() @IsInstant()
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
