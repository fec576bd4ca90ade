import { IsOptional, Matches, MaxLength } from 'class-validator';

export class StartOpenIdDto {
  /** A path of the console's to go to afterwards. */
  @IsOptional()
  @MaxLength(1000)
  @Matches(/^\/(?!\/)[\x21-\x5b\x5d-\x7e]*$/, { message: 'returnTo must be a path of this server, such as /commands' })
  returnTo?: string;
}
