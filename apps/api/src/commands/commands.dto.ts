import {
  COMMAND_STATES, type CommandState, DEFAULT_PRIORITY, DEFAULT_TIMEOUT_MS, ROLLBACK_REASONS, type RollbackReason, SPECIAL_OUTCOMES, type SpecialOutcome,
} from '@gwanje/contracts';
import { Type } from 'class-transformer';
import {
  ArrayMaxSize, IsArray, IsBoolean, IsDefined, IsIn, IsInt, IsNumber, IsObject, IsOptional, IsString, IsUUID,
  Max, MaxLength, Min, MinLength, ValidateNested,
} from 'class-validator';
import { IsInstant } from '../core/http/instant';
import { PageDto } from '../core/http/page.dto';
import { Tidy } from '../core/http/tidy';
import { AcceptedBy } from '../core/http/validation';

/** One of those that `IsUUID` takes. */
const UUID = '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$';

class CommandSettingsDto {
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  action: string;

  @IsOptional()
  @IsObject()
  payload: Record<string, unknown> = {};

  /** 10 is the emergency lane. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(10)
  priority: number = DEFAULT_PRIORITY;

  /** Milliseconds from the start, or from the dispatch while no start was reported. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(7 * 86_400_000)
  timeoutMs: number = DEFAULT_TIMEOUT_MS;

  @IsOptional()
  @IsInstant()
  notBefore?: string;

  /** Bounds the waiting before the start. */
  @IsOptional()
  @IsInstant()
  expiresAt?: string;

  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(100)
  maxAttempts: number = 1;
}

@AcceptedBy({
  required: ['clientId', 'action'],
  properties: {
    // Plain ASCII is tidy as it is.
    clientId: { type: 'string', pattern: '^[!-~]{1,100}$' },
    action: { type: 'string', minLength: 1, maxLength: 100 },
    payload: { type: 'object' },
    priority: { type: 'integer', minimum: 0, maximum: 10 },
    timeoutMs: { type: 'integer', minimum: 1, maximum: 7 * 86_400_000 },
    maxAttempts: { type: 'integer', minimum: 1, maximum: 100 },
  },
})
export class CreateCommandDto extends CommandSettingsDto {
  /** The client's id or name. */
  @Tidy()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  clientId: string;
}

class TargetsDto {
  @Tidy()
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(10_000)
  @IsString({ each: true })
  clientIds?: string[];

  @Tidy()
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(1_000)
  @IsString({ each: true })
  groups?: string[];

  @IsOptional()
  @IsObject()
  labels?: Record<string, string>;

  @IsOptional()
  @IsBoolean()
  all?: boolean;
}

export class CreateBatchDto extends CommandSettingsDto {
  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => TargetsDto)
  targets: TargetsDto;
}

export class PreviewDto {
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  action: string;

  @IsDefined()
  @IsObject()
  @ValidateNested()
  @Type(() => TargetsDto)
  targets: TargetsDto;
}

export class ListCommandsDto extends PageDto {
  @IsOptional()
  @IsIn(COMMAND_STATES)
  status?: CommandState;

  @Tidy()
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  clientId?: string;

  @IsOptional()
  @IsString()
  @MaxLength(100)
  action?: string;

  @IsOptional()
  @IsUUID()
  batchId?: string;

  @IsOptional()
  @IsInstant()
  from?: string;

  @IsOptional()
  @IsInstant()
  to?: string;
}

const MOST_ATTEMPTS = 2 ** 31 - 1;
const ATTEMPT = { type: 'integer', minimum: 1, maximum: MOST_ATTEMPTS };

@AcceptedBy({ required: [], properties: { attempt: ATTEMPT } })
export class StartDto {
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(MOST_ATTEMPTS)
  attempt?: number;
}

@AcceptedBy({
  required: ['success'],
  properties: {
    attempt: ATTEMPT,
    success: { type: 'boolean' },
    data: { not: { type: 'null' } },
    error: { type: 'string' },
    durationMs: { type: 'number', minimum: 0 },
  },
})
export class ResultDto extends StartDto {
  @IsBoolean()
  success: boolean;

  @IsOptional()
  data?: unknown;

  @IsOptional()
  @IsString()
  error?: string;

  @IsOptional()
  @IsNumber()
  @Min(0)
  durationMs?: number;

  /** How it ended when `success` alone does not say it. */
  @IsOptional()
  @IsIn(SPECIAL_OUTCOMES)
  outcome?: SpecialOutcome;
}

class ChunkDto {
  @IsInt()
  @Min(0)
  @Max(2 ** 31 - 1)
  seq: number;

  @IsIn(['stdout', 'stderr'])
  stream: 'stdout' | 'stderr';

  @IsString()
  text: string;
}

class ProgressDto {
  @IsOptional()
  @IsNumber()
  @Min(0)
  @Max(100)
  percent?: number;

  @IsOptional()
  @IsString()
  @MaxLength(1000)
  message?: string;
}

export class OutputDto extends StartDto {
  @IsArray()
  @ArrayMaxSize(10_000)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => ChunkDto)
  chunks: ChunkDto[];

  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => ProgressDto)
  progress?: ProgressDto;
}

class AgentActionDto {
  @IsString()
  @MaxLength(100)
  name: string;

  @IsOptional()
  @IsObject()
  schema?: Record<string, unknown>;
}

class InFlightDto {
  @IsUUID()
  id: string;

  @IsInt()
  @Min(1)
  @Max(MOST_ATTEMPTS)
  attempt: number;

  @IsIn(['received', 'started', 'finished'])
  state: 'received' | 'started' | 'finished';
}

class RolledBackDto {
  @IsString()
  @MaxLength(100)
  version: string;

  @IsOptional()
  @IsIn(ROLLBACK_REASONS)
  reason?: RollbackReason;
}

class SessionOrdinalDto {
  @IsUUID()
  journal: string;

  @IsInt()
  @Min(1)
  @Max(Number.MAX_SAFE_INTEGER)
  number: number;
}

@AcceptedBy({
  required: ['version', 'platform', 'actions', 'inFlight'],
  properties: {
    version: { type: 'string', maxLength: 100 },
    platform: { type: 'string', maxLength: 100 },
    actions: {
      type: 'array',
      maxItems: 200,
      items: { type: 'object', required: ['name'], additionalProperties: false, properties: { name: { type: 'string', maxLength: 100 }, schema: { type: 'object' } } },
    },
    // Ten thousand agents come back with nothing to compare.
    inFlight: { type: 'array', maxItems: 0 },
    ordinal: {
      type: 'object',
      required: ['journal', 'number'],
      additionalProperties: false,
      properties: { journal: { type: 'string', pattern: UUID }, number: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } },
    },
  },
})
export class SessionDto {
  @IsString()
  @MaxLength(100)
  version: string;

  @IsString()
  @MaxLength(100)
  platform: string;

  @IsArray()
  @ArrayMaxSize(200)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => AgentActionDto)
  actions: AgentActionDto[];

  @IsArray()
  @ArrayMaxSize(10_000)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => InFlightDto)
  inFlight: InFlightDto[];

  /** The version that it tried last and gave up; absent when what runs is at least as new. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => RolledBackDto)
  rolledBack?: RolledBackDto;

  /** Which session of the agent's it is: one that arrives late, or again, judges nothing that started since. */
  @IsOptional()
  @IsObject()
  @ValidateNested()
  @Type(() => SessionOrdinalDto)
  ordinal?: SessionOrdinalDto;
}
