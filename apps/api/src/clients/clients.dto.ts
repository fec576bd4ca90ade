import { PartialType } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsObject, IsOptional, IsString, Length, Matches, Max, MaxLength, Min } from 'class-validator';
import { PageDto } from '../core/http/page.dto';
import { Tidy } from '../core/http/tidy';

/** Unique; no slash and no space, so that it serves in an address; never taken for an id. */
export const CLIENT_NAME: [RegExp, { message: string }] = [
  /^(?![0-9a-f]{8}-[0-9a-f]{4}-)[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/iu,
  { message: 'name must be letters, digits, dots, dashes and underscores, at most 100, and not look like an id' },
];

export class CreateClientDto {
  /** Unique; letters, digits, dots, dashes and underscores. */
  @Tidy()
  @Matches(...CLIENT_NAME)
  name: string;

  @Tidy()
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @Length(1, 100, { each: true })
  groups?: string[];

  @IsOptional()
  @IsObject()
  labels?: Record<string, string>;

  /** How many commands it runs at the same time, besides one emergency. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(1000)
  concurrency?: number;
}

export class UpdateClientDto extends PartialType(CreateClientDto) {}

export class RotateKeyDto {
  /** Seconds for which the key of now stays valid beside the new one; 0 ends it at once. A day by default. */
  @IsOptional()
  @IsInt()
  @Min(0)
  @Max(30 * 86_400)
  overlapSeconds?: number;
}

export class ListClientsDto extends PageDto {
  @IsOptional()
  @IsIn(['online', 'offline'])
  status?: 'online' | 'offline';

  @Tidy()
  @IsOptional()
  @IsString()
  @MaxLength(100)
  group?: string;

  /** `site` for whatever has this label, `site=seoul` for its value; may be given several times, and all of them hold. */
  @IsOptional()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? [value] : value))
  @IsArray()
  @ArrayMaxSize(20)
  @IsString({ each: true })
  @MaxLength(400, { each: true })
  label?: string[];

  /** Only those that gave up a newer version of the agent, which their `agent.rolledBack` names. */
  @IsOptional()
  @IsIn(['rolled_back'])
  update?: 'rolled_back';

  /** Part of the name. */
  @Tidy()
  @IsOptional()
  @IsString()
  @MaxLength(100)
  q?: string;
}
