import { ArrayMaxSize, IsArray, IsInt, IsOptional, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import { IsInstant } from '../core/http/instant';
import { Tidy } from '../core/http/tidy';
import { CLIENT_NAME } from './clients.dto';

export class CreateEnrolmentTokenDto {
  /** Groups that every machine enrolled with it joins. */
  @Tidy()
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsString({ each: true })
  @MaxLength(100, { each: true })
  groups?: string[];

  /** How many machines may enrol with it; 1 by default. */
  @IsOptional()
  @IsInt()
  @Min(1)
  @Max(100_000)
  uses?: number;

  /** A week from now by default. */
  @IsOptional()
  @IsInstant()
  expiresAt?: string;
}

export class EnrolDto {
  @IsString()
  @MaxLength(200)
  token: string;

  @Tidy()
  @Matches(...CLIENT_NAME)
  name: string;

  @IsString()
  @MaxLength(100)
  platform: string;
}
