import { type Permission } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash, randomBytes } from 'node:crypto';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid, validate as isUuid } from 'uuid';
import { AuditService } from '../audit/audit.service';
import type { Person, PersonalTokens } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import { Forbidden, Hidden, InvalidInput, NotFound } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import type { CreateTokenDto } from './auth.dto';
import { PeopleService } from './people.service';

export interface PersonalTokenView {
  id: string;
  name: string;
  /** What it may do of what its owner may; null for all of it. */
  permissions: Permission[] | null;
  expiresAt: Date | null;
  /** To the minute. */
  lastUsedAt: Date | null;
  createdAt: Date;
}

interface TokenRow {
  id: string;
  hash: string;
  userId: string;
  permissions: Permission[] | null;
  stale: boolean;
}

/** Personal access tokens `gwj_…` for scripts: a part of their owner's rights, shown once, stored as a hash. */
@Injectable()
export class PersonalTokensService implements PersonalTokens {
  /** However many calls of scripts come at the same moment, they are one search. */
  private readonly searches = new GroupCommit<Buffer, TokenRow | undefined>(async (hashes) => {
    const rows = await this.rows('token_hash', hashes);
    const byHash = new Map(rows.map((row) => [row.hash, row]));
    return hashes.map((hash) => byHash.get(hash.toString('hex')));
  });

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly hot: HotDatabase,
    private readonly people: PeopleService,
    private readonly audit: AuditService,
    private readonly bus: Bus,
  ) {}

  async create(input: CreateTokenDto, by: Person): Promise<{ id: string; token: string }> {
    if (!by.secondFactor.satisfied) throw new Forbidden('A role of yours demands a second factor: enrol or prove it first');
    const lacking = (input.permissions ?? []).filter((permission) => !by.permissions.includes(permission));
    if (lacking.length > 0) throw new Forbidden(`You cannot give what you do not have: ${lacking.join(', ')}`);
    if (input.expiresAt && Date.parse(input.expiresAt) <= Date.now()) throw new InvalidInput([{ path: 'expiresAt', message: 'must be in the future' }]);
    const [id, token] = [uuid(), `gwj_${randomBytes(32).toString('base64url')}`];
    await this.database.transaction(async (transaction) => {
      await transaction.query(
        'INSERT INTO personal_access_tokens (id, user_id, name, token_hash, permissions, expires_at) VALUES ($1, $2, $3, $4, $5, $6)',
        [id, by.id, input.name, sha256(token), input.permissions ?? null, input.expiresAt ?? null],
      );
      const after = { name: input.name, permissions: input.permissions ?? null, expiresAt: input.expiresAt ?? null };
      await this.audit.record({ by, action: 'auth.create_token', target: { type: 'personal_access_token', id }, outcome: 'done', after }, transaction);
    });
    return { id, token };
  }

  async list(person: Pick<Person, 'id'>): Promise<PersonalTokenView[]> {
    return this.database.query<PersonalTokenView[]>(
      `SELECT id, name, permissions, expires_at AS "expiresAt", last_used_at AS "lastUsedAt", created_at AS "createdAt"
       FROM personal_access_tokens WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC`,
      [person.id],
    );
  }

  async revoke(id: string, by: Person): Promise<void> {
    await this.database.transaction(async (transaction) => {
      if (!(await this.end(id, by.id, transaction))) throw new Hidden('auth.revoke_token', { type: 'personal_access_token', id });
      await this.audit.record({ by, action: 'auth.revoke_token', target: { type: 'personal_access_token', id }, outcome: 'done' }, transaction);
    });
    this.bus.publish('rights', { userIds: [by.id] });
  }

  /** One of somebody else's, in the transaction of whoever may. */
  async revokeOf(userId: string, id: string, transaction: EntityManager): Promise<void> {
    if (!(await this.end(id, userId, transaction))) throw new NotFound('personal access token');
  }

  async find(token: string): Promise<Omit<Person, 'origin'> | null> {
    return this.ownerOf(await this.searches.add(sha256(token)));
  }

  async findById(id: string): Promise<Omit<Person, 'origin'> | null> {
    const [row] = await this.rows('id', [id]);
    return this.ownerOf(row);
  }

  private async end(id: string, userId: string, transaction: EntityManager): Promise<boolean> {
    if (!isUuid(id)) return false;
    const [ended] = await transaction.query<[unknown[], number]>(
      'UPDATE personal_access_tokens SET revoked_at = now() WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL RETURNING id', [id, userId],
    );
    return ended.length > 0;
  }

  /** Those that have not ended. */
  private rows(column: 'token_hash' | 'id', values: readonly (Buffer | string)[]): Promise<TokenRow[]> {
    return this.hot.query(
      `SELECT id, encode(token_hash, 'hex') AS hash, user_id AS "userId", permissions, coalesce(last_used_at < now() - interval '1 minute', true) AS stale
       FROM personal_access_tokens WHERE ${column} = ANY($1) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
      [values],
    );
  }

  private async ownerOf(row: TokenRow | undefined): Promise<Omit<Person, 'origin'> | null> {
    const account = row && (await this.people.byId(row.userId));
    if (!row || !account) return null;
    if (row.stale) await this.database.query('UPDATE personal_access_tokens SET last_used_at = now() WHERE id = $1', [row.id]);
    const within = (permission: Permission): boolean => row.permissions?.includes(permission) ?? true;
    const rights = { permissions: account.permissions.filter(within), everywhere: account.everywhere.filter(within) };
    return { type: 'user', ...account, ...rights, tokenId: row.id };
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
