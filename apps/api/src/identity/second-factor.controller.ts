import { Body, Controller, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { Caller, ForPeople, type Person } from '../core/access/access';
import { OtpDto, ProofDto } from './second-factor.dto';
import { SecondFactorService } from './second-factor.service';
import { requireSession } from './sessions.service';

/** The caller's own second factor. */
@Controller('api/auth/second-factor')
@ForPeople()
export class SecondFactorController {
  constructor(private readonly factor: SecondFactorService) {}

  @Get()
  state(@Caller() person: Person): Promise<{ enabled: boolean; recoveryCodesLeft: number }> {
    return this.factor.state(person);
  }

  /** Begins an enrolment; the secret is shown in this answer only. */
  @Post()
  enrol(@Caller() person: Person): Promise<{ secret: string; otpauthUri: string }> {
    requireSession(person);
    return this.factor.enrol(person);
  }

  /** Ends the enrolment with a first code; the recovery codes are shown in this answer only. */
  @Post('confirm')
  @HttpCode(200)
  confirm(@Body() body: OtpDto, @Caller() person: Person): Promise<{ recoveryCodes: string[] }> {
    requireSession(person);
    return this.factor.confirm(body.otp, person);
  }

  /** Proves the factor in a session that was opened without it, such as one of an OpenID provider. */
  @Post('prove')
  @HttpCode(204)
  async prove(@Body() body: OtpDto, @Caller() person: Person): Promise<void> {
    requireSession(person);
    await this.factor.prove(body.otp, person);
  }

  @Delete()
  @HttpCode(204)
  async end(@Body() body: ProofDto, @Caller() person: Person): Promise<void> {
    requireSession(person);
    await this.factor.end(body, person);
  }

  /** Ten new codes, shown in this answer only; those before end. */
  @Post('recovery-codes')
  @HttpCode(200)
  renewRecoveryCodes(@Body() body: ProofDto, @Caller() person: Person): Promise<{ recoveryCodes: string[] }> {
    requireSession(person);
    return this.factor.renewRecoveryCodes(body, person);
  }
}
