import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import type { Anonymous, Person } from '../core/access/access';
import { InvalidInput, Unauthorized } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import { LoginGuard } from './login-guard';
import { PasswordsService } from './passwords.service';
import { SessionsService, type Tokens } from './sessions.service';

/** People prove who they are, and change their own password. */
@Injectable()
export class AccountsService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly guard: LoginGuard,
    private readonly passwords: PasswordsService,
    private readonly sessions: SessionsService,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  /** An unknown e-mail, a wrong password and a disabled account answer alike, after the same time. */
  async login(email: string, password: string, by: Anonymous, userAgent?: string): Promise<Tokens & { refresh: string }> {
    const user = await this.guard.attempt(email, by.origin.address, () => this.verify(email, password, by));
    if (!user) throw new Unauthorized('E-mail or password is wrong');
    return this.sessions.open(user, by, userAgent, 'password');
  }

  /** Every other session of the person ends. */
  async changePassword(current: string, next: string, by: Person): Promise<void> {
    const passwordHash = await this.passwords.hashNew(next, 'newPassword');
    const proven = await this.guard.attempt(by.email, by.origin.address, () => this.verify(by.email, current, by));
    if (!proven) throw new InvalidInput([{ path: 'currentPassword', message: 'is wrong' }]);
    await this.database.transaction(async (transaction) => {
      await transaction.query('UPDATE users SET password_hash = $2 WHERE id = $1', [by.id, passwordHash]);
      await this.sessions.endAll(by.id, transaction, by.sessionId);
      await this.audit.record({ by, action: 'auth.change_password', target: { type: 'user', id: by.id }, outcome: 'done' }, transaction);
    });
    this.bus.publish('rights', { userIds: [by.id] });
  }

  private async verify(email: string, password: string, by: Anonymous | Person): Promise<string | null> {
    const [user] = await this.database.query<{ id: string; passwordHash: string; disabled: boolean }[]>(
      `SELECT id, password_hash AS "passwordHash", disabled_at IS NOT NULL AS disabled FROM users WHERE lower(email) = lower($1) AND deleted_at IS NULL`,
      [email],
    );
    const matches = await this.passwords.matches(password, user?.passwordHash);
    if (user && matches && !user.disabled) return user.id;
    await this.audit.record({ by, action: 'auth.login', target: { type: 'user', id: user?.id ?? null }, outcome: 'refused' });
    return null;
  }
}
