import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import type { Person } from '../core/access/access';
import { Conflict, Forbidden, InvalidInput } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { AccountsService } from './accounts.service';
import { LoginGuard } from './login-guard';
import { OneTimeCodes } from './one-time-codes';
import { PeopleService } from './people.service';
import type { ProofDto } from './second-factor.dto';
import { SessionsService } from './sessions.service';

/** The second factor of an account: enrolled, proven, ended. Codes that are tried count as log-ins that are tried. */
@Injectable()
export class SecondFactorService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly codes: OneTimeCodes,
    private readonly guard: LoginGuard,
    private readonly accounts: AccountsService,
    private readonly sessions: SessionsService,
    private readonly people: PeopleService,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  async state(person: Person): Promise<{ enabled: boolean; recoveryCodesLeft: number }> {
    return { enabled: person.secondFactor.enabled, recoveryCodesLeft: await this.codes.recoveryCodesLeft(person.id) };
  }

  /** A secret to show once, as text and as an `otpauth://` address; it counts for nothing until a code of it comes back. */
  enrol(by: Person): Promise<{ secret: string; otpauthUri: string }> {
    return this.database.transaction(async (transaction) => {
      const pending = await this.codes.begin(by, transaction);
      if (!pending) throw new Conflict('second_factor_enabled', 'The account has a second factor already: end it first');
      await this.record('auth.begin_second_factor', by, transaction);
      return pending;
    });
  }

  /** Every other session of the person ends, and this one counts as proven. */
  async confirm(otp: string, by: Person): Promise<{ recoveryCodes: string[] }> {
    const recoveryCodes = await this.guard.attempt(by.email, by, () =>
      this.database.transaction(async (transaction) => {
        const outcome = await this.codes.confirm(by.id, otp, transaction);
        if (outcome === 'absent') throw new Conflict('no_pending_enrolment', 'There is no second factor to confirm: begin anew');
        if (outcome === 'wrong') return null;
        await this.sessions.endAll(by.id, transaction, by.sessionId);
        await this.sessions.prove(by.sessionId, transaction);
        await this.people.doubt([by.id], transaction);
        await this.record('auth.enable_second_factor', by, transaction);
        return this.codes.newRecoveryCodes(by.id, transaction);
      }),
    );
    if (!recoveryCodes) throw wrongOtp();
    this.bus.publish('rights', { userIds: [by.id] });
    return { recoveryCodes };
  }

  /** Proves the factor in a session that was opened without it. */
  async prove(otp: string, by: Person): Promise<void> {
    await this.requireOtp(otp, by);
    await this.database.transaction(async (transaction) => {
      await this.sessions.prove(by.sessionId, transaction);
      await this.people.doubt([by.id], transaction);
      await this.record('auth.prove_second_factor', by, transaction);
    });
    this.bus.publish('rights', { userIds: [by.id] });
  }

  /** Every other session of the person ends. */
  async end(proof: ProofDto, by: Person): Promise<void> {
    await this.requireProof(proof, by);
    await this.database.transaction(async (transaction) => {
      await this.codes.remove(by.id, transaction);
      await this.sessions.endAll(by.id, transaction, by.sessionId);
      await this.people.doubt([by.id], transaction);
      await this.record('auth.disable_second_factor', by, transaction);
    });
    this.bus.publish('rights', { userIds: [by.id] });
  }

  /** Ten new ones, shown in this answer only; those before end. */
  async renewRecoveryCodes(proof: ProofDto, by: Person): Promise<{ recoveryCodes: string[] }> {
    await this.requireProof(proof, by);
    return this.database.transaction(async (transaction) => {
      await this.record('auth.renew_recovery_codes', by, transaction);
      return { recoveryCodes: await this.codes.newRecoveryCodes(by.id, transaction) };
    });
  }

  /** Takes the factor of somebody who lost it away, in the transaction of whoever may; every session of theirs ends. */
  async reset(userId: string, transaction: EntityManager): Promise<void> {
    const was = await this.codes.remove(userId, transaction);
    if (!was) throw new Conflict('second_factor_not_enabled', 'This person has no second factor');
    await this.sessions.endAll(userId, transaction);
  }

  /** A password is enough only where the factor was proven: it must not open what the factor closes. */
  private async requireProof({ password, otp }: ProofDto, by: Person): Promise<void> {
    if (!by.secondFactor.enabled) throw new Conflict('second_factor_not_enabled', 'The account has no second factor');
    if (otp !== undefined) return this.requireOtp(otp, by);
    if (password === undefined) throw new InvalidInput([{ path: 'otp', message: 'give a code, or the password' }]);
    if (!by.secondFactor.satisfied) throw new Forbidden('This session has not proven the second factor: give a code');
    return this.accounts.requirePassword(password, 'password', by);
  }

  private async requireOtp(otp: string, by: Person): Promise<void> {
    if (!by.secondFactor.enabled) throw new Conflict('second_factor_not_enabled', 'The account has no second factor');
    const taken = await this.guard.attempt(by.email, by, async () => (await this.codes.redeem(by.id, otp, by)) || null);
    if (taken) return;
    const target = { type: 'user', id: by.id };
    await this.audit.record({ by, action: 'auth.prove_second_factor', target, outcome: 'refused', detail: { reason: 'otp_invalid' } });
    throw wrongOtp();
  }

  private record(action: string, by: Person, transaction: EntityManager): Promise<void> {
    return this.audit.record({ by, action, target: { type: 'user', id: by.id }, outcome: 'done' }, transaction);
  }
}

const wrongOtp = (): InvalidInput => new InvalidInput([{ path: 'otp', message: 'is wrong, or was used before' }]);
