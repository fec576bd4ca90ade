import { PERMISSIONS, type Permission } from '@gwanje/contracts';
import { ArrayUnique, IsArray, IsEmail, IsIn, IsOptional, IsString, MaxLength, MinLength } from 'class-validator';
import { IsInstant } from '../core/http/instant';
import { Tidy } from '../core/http/tidy';

export class LoginDto {
  @Tidy()
  @IsEmail({ require_tld: false })
  @MaxLength(254)
  email: string;

  @IsString()
  @MaxLength(1024)
  password: string;

  /** The code of the second factor, or a recovery code. */
  @IsOptional()
  @IsString()
  @MaxLength(32)
  otp?: string;
}

export class ChangePasswordDto {
  @IsString()
  @MaxLength(1024)
  currentPassword: string;

  /** At least 12 characters, and not one that everybody knows. */
  @IsString()
  @MaxLength(1024)
  newPassword: string;
}

export class CreateTokenDto {
  @Tidy()
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  name: string;

  /** A part of your own; all of them by default. */
  @IsOptional()
  @IsArray()
  @ArrayUnique()
  @IsIn(PERMISSIONS, { each: true })
  permissions?: Permission[];

  @IsOptional()
  @IsInstant()
  expiresAt?: string;
}
