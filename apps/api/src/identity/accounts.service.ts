import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import type { Anonymous, Person } from '../core/access/access';
import { DomainError, InvalidInput, Unauthorized } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import type { LoginDto } from './auth.dto';
import { LoginGuard } from './login-guard';
import { OneTimeCodes } from './one-time-codes';
import { PersonalTokensService } from './personal-tokens.service';
import { PasswordsService } from './passwords.service';
import { SessionsService, type Tokens } from './sessions.service';

/** The password was right, and the account has a second factor. */
class OtpRequired extends DomainError {
  constructor() {
    super(401, 'otp_required', 'The account has a second factor: send its code, or a recovery code, as `otp`');
  }
}

class OtpInvalid extends DomainError {
  constructor() {
    super(401, 'otp_invalid', 'The code is wrong, or was used before');
  }
}

/** People prove who they are, and change their own password. */
@Injectable()
export class AccountsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly guard: LoginGuard,
    private readonly passwords: PasswordsService,
    private readonly codes: OneTimeCodes,
    private readonly sessions: SessionsService,
    private readonly tokens: PersonalTokensService,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  /**
   * An unknown e-mail, a wrong password and a disabled account answer alike, after the same time. A wrong code counts as a failure; a
   * right password without a code neither counts nor makes what failed before forgotten.
   */
  async login({ email, password, otp }: LoginDto, by: Anonymous, userAgent?: string): Promise<Tokens & { refresh: string }> {
    let refusal: DomainError = new Unauthorized('E-mail or password is wrong');
    const user = await this.guard.attempt(email, by, async () => {
      const known = await this.verify(email, password, by);
      if (!known?.secondFactor) return known;
      const refused = (reason: string): Promise<void> =>
        this.audit.record({ by, action: 'auth.login', target: { type: 'user', id: known.id }, outcome: 'refused', detail: { reason } });
      if (otp === undefined) {
        await refused('otp_required');
        throw new OtpRequired();
      }
      if (await this.codes.redeem(known.id, otp, by)) return known;
      refusal = new OtpInvalid();
      await refused('otp_invalid');
      return null;
    });
    if (!user) throw refusal;
    return this.sessions.open(user.id, by, userAgent, { how: 'password', secondFactor: user.secondFactor }, user.passwordHash);
  }

  /** Throws InvalidInput that names `path` unless it is the caller's password; a wrong one counts as a failed log-in. */
  async requirePassword(password: string, path: string, by: Person): Promise<void> {
    const proven = await this.guard.attempt(by.email, by, () => this.verify(by.email, password, by));
    if (!proven) throw new InvalidInput([{ path, message: 'is wrong' }]);
  }

  /** The caller with the rights of now, when those that the guard believed have changed; throws Unauthorized when the session or token has ended. */
  async again(person: Person): Promise<Person> {
    const now = person.sessionId ? await this.sessions.person(person.sessionId) : await this.tokens.findById(person.tokenId ?? '');
    if (!now) throw new Unauthorized();
    return { ...now, origin: person.origin };
  }

  /** Every other session of the person ends. */
  async changePassword(current: string, next: string, by: Person): Promise<void> {
    const passwordHash = await this.passwords.hashNew(next, 'newPassword');
    await this.requirePassword(current, 'currentPassword', by);
    await this.database.transaction(async (transaction) => {
      await transaction.query('UPDATE users SET password_hash = $2 WHERE id = $1', [by.id, passwordHash]);
      await this.sessions.endAll(by.id, transaction, by.sessionId);
      await this.audit.record({ by, action: 'auth.change_password', target: { type: 'user', id: by.id }, outcome: 'done' }, transaction);
    });
    this.bus.publish('rights', { userIds: [by.id] });
  }

  private async verify(email: string, password: string, by: Anonymous | Person): Promise<{ id: string; passwordHash: string; secondFactor: boolean } | null> {
    const [user] = await this.database.query<{ id: string; passwordHash: string | null; disabled: boolean; secondFactor: boolean }[]>(
      `SELECT u.id, u.password_hash AS "passwordHash", u.disabled_at IS NOT NULL AS disabled, f.confirmed_at IS NOT NULL AS "secondFactor"
       FROM users u LEFT JOIN second_factors f ON f.user_id = u.id WHERE account_key(u.email) = account_key($1) AND u.deleted_at IS NULL`,
      [email],
    );
    const matches = await this.passwords.matches(password, user?.passwordHash);
    if (user?.passwordHash && matches && !user.disabled) return { id: user.id, passwordHash: user.passwordHash, secondFactor: user.secondFactor };
    await this.audit.record({ by, action: 'auth.login', target: { type: 'user', id: user?.id ?? null }, outcome: 'refused' });
    return null;
  }
}
