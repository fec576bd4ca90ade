import { IsString, MaxLength, MinLength } from 'class-validator';

export class ExplainDto {
  /** The person's id or e-mail. */
  @IsString()
  @MinLength(1)
  @MaxLength(254)
  user: string;

  @IsString()
  @MinLength(1)
  @MaxLength(100)
  action: string;

  /** The client's id or name. */
  @IsString()
  @MinLength(1)
  @MaxLength(100)
  client: string;
}
