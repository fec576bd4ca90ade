import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { randomBytes } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Anonymous, Person } from '../core/access/access';
import { InvalidInput, NotFound, Unauthorized } from '../core/errors/errors';
import { page, type Page, type PageDto } from '../core/http/page.dto';
import { PeopleService } from '../identity/people.service';
import { sha256 } from './client-keys';
import { ClientsService } from './clients.service';
import type { CreateEnrolmentTokenDto, EnrolDto } from './enrolment.dto';

const DEFAULT_DAYS = 7;

export interface EnrolmentTokenView {
  id: string;
  groups: string[];
  usesLeft: number;
  expiresAt: Date;
  createdAt: Date;
}

const VIEW = `id, groups, uses_left AS "usesLeft", expires_at AS "expiresAt", created_at AS "createdAt"`;

/** Tokens by which machines enrol themselves: counted, dated, shown once, stored as a hash. */
@Injectable()
export class EnrolmentService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly clients: ClientsService,
    private readonly people: PeopleService,
    private readonly audit: AuditService,
  ) {}

  async create(input: CreateEnrolmentTokenDto, by: Person): Promise<EnrolmentTokenView & { token: string }> {
    this.clients.requireEverywhere(by);
    if (input.expiresAt && Date.parse(input.expiresAt) <= Date.now()) throw new InvalidInput([{ path: 'expiresAt', message: 'must be in the future' }]);
    const token = `gwe_${randomBytes(24).toString('base64url')}`;
    const id = uuid();
    const [view] = await this.database.transaction(async (transaction) => {
      await this.clients.requireMayAddTo(input.groups ?? [], by, transaction);
      const rows = await transaction.query<EnrolmentTokenView[]>(
        `INSERT INTO enrolment_tokens (id, token_hash, groups, uses_left, expires_at, created_by)
         VALUES ($1, $2, $3, $4, coalesce($5, now() + make_interval(days => ${DEFAULT_DAYS})), $6) RETURNING ${VIEW}`,
        [id, sha256(token), input.groups ?? [], input.uses ?? 1, input.expiresAt ?? null, by.id],
      );
      await this.audit.record({ by, action: 'enrolment.create', target: { type: 'enrolment_token', id }, outcome: 'done', after: rows[0] ?? {} }, transaction);
      return rows;
    });
    if (!view) throw new Error('an INSERT … RETURNING answered nothing');
    return { ...view, token };
  }

  async list({ cursor, limit }: PageDto, who: Person): Promise<Page<EnrolmentTokenView>> {
    this.clients.requireEverywhere(who);
    const rows = await this.database.query<EnrolmentTokenView[]>(
      `SELECT ${VIEW} FROM enrolment_tokens WHERE revoked_at IS NULL AND ($1::uuid IS NULL OR id < $1) ORDER BY id DESC LIMIT $2`,
      [cursor ?? null, limit + 1],
    );
    return page(rows, limit);
  }

  async revoke(id: string, by: Person): Promise<void> {
    this.clients.requireEverywhere(by);
    await this.database.transaction(async (transaction) => {
      const [gone] = isUuid(id)
        ? await transaction.query<[unknown[], number]>('UPDATE enrolment_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id', [id])
        : [[]];
      if (gone.length === 0) throw new NotFound('enrolment token');
      await this.audit.record({ by, action: 'enrolment.revoke', target: { type: 'enrolment_token', id }, outcome: 'done' }, transaction);
    });
  }

  /** Whoever made the token must still be one who may add machines. One use of it and the new client are one transaction: a one-use token gives one client, however many ask at once. */
  async enrol(input: EnrolDto, caller: Anonymous): Promise<{ id: string; name: string; clientKey: string }> {
    const enrolled = await this.database.transaction(async (transaction) => {
      const [made] = await transaction.query<{ by: string }[]>('SELECT created_by AS by FROM enrolment_tokens WHERE token_hash = $1', [sha256(input.token)]);
      const maker = made && (await this.people.byId(made.by, transaction));
      if (!maker?.everywhere.includes('clients.manage')) return null;
      const [rows] = await transaction.query<[{ id: string; groups: string[] }[], number]>(
        `UPDATE enrolment_tokens t SET uses_left = uses_left - 1
         WHERE t.token_hash = $1 AND t.uses_left > 0 AND t.expires_at > now() AND t.revoked_at IS NULL RETURNING t.id, t.groups`,
        [sha256(input.token)],
      );
      const [token] = rows;
      if (!token) return null;
      return this.clients.insert({ name: input.name, groups: token.groups }, caller, 'clients.enrol', transaction, { enrolmentTokenId: token.id, platform: input.platform });
    });
    if (enrolled) return enrolled;
    await this.audit.record({ by: caller, action: 'clients.enrol', target: { type: 'client', id: null }, outcome: 'refused', detail: { name: input.name } });
    throw new Unauthorized('The enrolment token is unknown, used up, expired or revoked');
  }
}
