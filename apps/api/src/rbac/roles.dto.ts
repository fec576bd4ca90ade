import { PERMISSIONS, type Permission, type Scope, SCOPES } from '@gwanje/contracts';
import { PartialType } from '@nestjs/swagger';
import { ArrayUnique, IsArray, IsBoolean, IsIn, IsOptional, Matches } from 'class-validator';
import { Tidy } from '../core/http/tidy';

export class CreateRoleDto {
  @Tidy()
  @Matches(/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,99}$/u, { message: 'name must be letters, digits, spaces, dots, dashes and underscores, at most 100' })
  name: string;

  @IsArray()
  @ArrayUnique()
  @IsIn(PERMISSIONS, { each: true })
  permissions: Permission[];

  /** Whether its permissions over clients hold for all of them, or only where a grant says so. */
  @IsOptional()
  @IsIn(SCOPES)
  scope?: Scope;

  /** Whoever holds it may do nothing, until they have proven a second factor. */
  @IsOptional()
  @IsBoolean()
  requiresSecondFactor?: boolean;
}

export class UpdateRoleDto extends PartialType(CreateRoleDto) {}
