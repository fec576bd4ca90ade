import { type Permission, PERMISSIONS } from '@gwanje/contracts';
import { IsIn, IsOptional, IsString, MaxLength, MinLength } from 'class-validator';
import { Tidy } from '../core/http/tidy';

/** Who may what where: an `action`, or a `permission` of another kind than to create commands, or both. */
export class ExplainDto {
  /** The person's id or e-mail. */
  @Tidy()
  @IsString()
  @MinLength(1)
  @MaxLength(254)
  user: string;

  /** Of a command; optional when `permission` is given. */
  @IsOptional()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  action?: string;

  /** `commands.create` when it is left out. */
  @IsOptional()
  @IsIn(PERMISSIONS)
  permission?: Permission;

  /** The client's id or name. */
  @Tidy()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  client: string;

  /** Of such a command, as JSON: held against the limits of the grants, not against the schema of the action. */
  @IsOptional()
  @IsString()
  @MaxLength(10_000)
  payload?: string;
}
