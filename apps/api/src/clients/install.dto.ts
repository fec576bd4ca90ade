import { IsOptional, Matches } from 'class-validator';

export class InstallQueryDto {
  /** An enrolment token. Whether it is valid is found out when it is used. */
  @IsOptional()
  @Matches(/^gwe_[\w-]{1,100}$/, { message: 'token must be an enrolment token: gwe_…' })
  token?: string;
}
