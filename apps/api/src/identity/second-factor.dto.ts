import { IsOptional, IsString, MaxLength, MinLength } from 'class-validator';

export class OtpDto {
  /** Six digits of the authenticator. */
  @IsString()
  @MinLength(6)
  @MaxLength(32)
  otp: string;
}

/** One of the two. */
export class ProofDto {
  /** Six digits of the authenticator, or a recovery code. */
  @IsOptional()
  @IsString()
  @MaxLength(32)
  otp?: string;

  @IsOptional()
  @IsString()
  @MaxLength(1024)
  password?: string;
}
