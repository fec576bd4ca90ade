import { Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import { SYSTEM } from '../core/access/access';
import { Config } from '../core/config/config';
import { tidy } from '../core/http/tidy';
import { PasswordsService } from './passwords.service';

/** Creates the first admin on an empty installation, and touches nothing on any other. */
@Injectable()
export class FirstAdmin implements OnApplicationBootstrap {
  private readonly log = new Logger('FirstAdmin');

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly config: Config,
    private readonly passwords: PasswordsService,
    private readonly audit: AuditService,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const [any] = await this.database.query<unknown[]>('SELECT 1 FROM users LIMIT 1');
    if (any) return;
    const email = tidy(this.config.ADMIN_EMAIL ?? 'admin@example.com');
    const password = this.config.ADMIN_PASSWORD ?? this.passwords.makeUp();
    await this.database.transaction(async (transaction) => {
      // Several instances may start at once on the same empty database: one of them creates the admin.
      await transaction.query('LOCK TABLE users IN EXCLUSIVE MODE');
      const [other] = await transaction.query<unknown[]>('SELECT 1 FROM users LIMIT 1');
      if (other) return;
      const id = uuid();
      await transaction.query('INSERT INTO users (id, email, name, password_hash) VALUES ($1, $2, $3, $4)', [
        id, email, 'Admin', await this.passwords.hashNew(password, 'ADMIN_PASSWORD'),
      ]);
      await transaction.query(`INSERT INTO user_roles SELECT $1, id FROM roles WHERE name = 'admin'`, [id]);
      const after = { email, name: 'Admin', roles: ['admin'] };
      await this.audit.record({ by: SYSTEM, action: 'users.create', target: { type: 'user', id }, outcome: 'done', after }, transaction);
      if (!this.config.ADMIN_PASSWORD) this.log.warn(`created ${email} with the password ${password} (shown once)`);
    });
  }
}
