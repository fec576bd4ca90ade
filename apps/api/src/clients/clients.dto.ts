import { PartialType } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsIn, IsInt, IsObject, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { PageDto } from '../core/http/page.dto';

export class CreateClientDto {
  /** Unique; letters, digits, dots, dashes and underscores. */
  @Matches(/^[\p{L}\p{N}][\p{L}\p{N}._-]{0,99}$/u, { message: 'name must be letters, digits, dots, dashes and underscores, at most 100' })
  name: string;

  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @MaxLength(100, { each: true })
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

export class ListClientsDto extends PageDto {
  @IsOptional()
  @IsIn(['online', 'offline'])
  status?: 'online' | 'offline';

  @IsOptional()
  @IsString()
  @MaxLength(100)
  group?: string;

  /** Part of the name. */
  @IsOptional()
  @IsString()
  @MaxLength(100)
  q?: string;
}
