import { type Scope, SCOPES } from '@gwanje/contracts';
import { OmitType, PartialType } from '@nestjs/swagger';
import { ArrayMaxSize, IsArray, IsBoolean, IsEmail, IsIn, IsOptional, IsString, MaxLength, MinLength } from 'class-validator';
import { PageDto } from '../core/http/page.dto';
import { Tidy } from '../core/http/tidy';

export class SetRolesDto {
  /** Ids or names; replaces those that the person has. */
  @Tidy()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  roles: string[];
}

export class CreateUserDto {
  @Tidy()
  @IsEmail({ require_tld: false })
  @MaxLength(254)
  email: string;

  @Tidy()
  @IsString()
  @MinLength(1)
  @MaxLength(200)
  name: string;

  /** Without one, a password is made up and shown once in the answer. */
  @IsOptional()
  @IsString()
  @MaxLength(1024)
  password?: string;

  @Tidy()
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  roles?: string[];

  /** `granted` confines the person to grants, whatever their roles say. */
  @IsOptional()
  @IsIn(SCOPES)
  scope?: Scope;
}

export class UpdateUserDto extends PartialType(OmitType(CreateUserDto, ['roles'] as const)) {
  @IsOptional()
  @IsBoolean()
  disabled?: boolean;
}

export class ListUsersDto extends PageDto {
  /** Part of the name or e-mail. */
  @Tidy()
  @IsOptional()
  @IsString()
  @MaxLength(100)
  q?: string;
}
