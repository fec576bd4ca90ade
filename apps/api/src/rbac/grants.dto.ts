import type { ParameterLimits } from '@gwanje/contracts';
import { Type } from 'class-transformer';
import { ArrayMaxSize, ArrayMinSize, IsArray, IsObject, IsOptional, IsString, MaxLength, MinLength, ValidateNested } from 'class-validator';
import { Tidy } from '../core/http/tidy';

class GrantDto {
  /** Ignored: an answer can be sent back as it is. */
  @IsOptional()
  @IsString()
  id?: string;

  /** The person's id or e-mail; either this or `role`. */
  @Tidy()
  @IsOptional()
  @IsString()
  @MaxLength(254)
  user?: string;

  /** The role's id or name. */
  @Tidy()
  @IsOptional()
  @IsString()
  @MaxLength(100)
  role?: string;

  /** One of the client's groups: the grant then holds for the whole group. */
  @Tidy()
  @IsOptional()
  @IsString()
  @MaxLength(100)
  group?: string;

  /** Names of actions, or `*` for every one. */
  @IsArray()
  @ArrayMinSize(1)
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @MinLength(1, { each: true })
  @MaxLength(100, { each: true })
  actions: string[];

  /** By action and parameter, the JSON Schema that the value must meet: `{ "print": { "copies": { "maximum": 10 } } }`. */
  @IsOptional()
  @IsObject()
  limits?: ParameterLimits;
}

export class SetGrantsDto {
  /** All grants of the client, and of each group that is named. */
  @IsArray()
  @ArrayMaxSize(1_000)
  @IsObject({ each: true })
  @ValidateNested({ each: true })
  @Type(() => GrantDto)
  items: GrantDto[];
}
