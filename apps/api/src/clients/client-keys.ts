import { Injectable } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { AgentPrincipal } from '../core/access/access';
import { GroupCommit } from '../core/database/group-commit';
import { HotDatabase } from '../core/database/hot-database';
import type { Queries } from '../core/database/queries';
import type { Statement } from '../core/database/statement';

export interface KeyView {
  id: string;
  createdAt: Date;
  /** When a rotation ends it; null while it is the newest. */
  validUntil: Date | null;
}

/** SQL: those of the keys $1 that are not valid any more. */
const ENDED = `FROM unnest($1::uuid[]) k
  WHERE NOT EXISTS (SELECT FROM client_keys WHERE id = k AND (valid_until IS NULL OR valid_until > now()))`;

/** The agents' keys `sk_<client>_<secret>`: 192 random bits, shown once, stored as SHA-256 (nobody guesses them, so no slow hash). */
@Injectable()
export class ClientKeys {
  /** Ten thousand agents that come back at once are looked up by hundreds. */
  private readonly searches = new GroupCommit<Buffer, Omit<AgentPrincipal, 'origin'> | null>((hashes) => this.findAll(hashes));
  private readonly checks = new GroupCommit<string, boolean>(async (keyIds) => {
    const ended = new Set(await this.ended(keyIds));
    return keyIds.map((id) => ended.has(id));
  });

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly hot: HotDatabase,
  ) {}

  async issue(clientId: string, clientName: string, transaction: EntityManager): Promise<string> {
    const slug = clientName.toLowerCase().replace(/[^a-z0-9]/g, '') || clientId.slice(-12);
    const key = `sk_${slug}_${randomBytes(24).toString('base64url')}`;
    await transaction.query('INSERT INTO client_keys (id, client_id, key_hash) VALUES ($1, $2, $3)', [uuid(), clientId, sha256(key)]);
    return key;
  }

  find(key: string): Promise<Omit<AgentPrincipal, 'origin'> | null> {
    return this.searches.add(sha256(key));
  }

  async list(clientId: string): Promise<KeyView[]> {
    return this.database.query(
      `SELECT id, created_at AS "createdAt", valid_until AS "validUntil" FROM client_keys
       WHERE client_id = $1 AND (valid_until IS NULL OR valid_until > now()) ORDER BY id DESC`,
      [clientId],
    );
  }

  /** Lets the newest key live for another `seconds`, and ends all before it: at most two are valid during a rotation. */
  async retire(clientId: string, seconds: number, transaction: EntityManager): Promise<void> {
    await transaction.query(
      `DELETE FROM client_keys WHERE client_id = $1 AND ($2 = 0 OR id <> (SELECT max(id::text)::uuid FROM client_keys WHERE client_id = $1))`,
      [clientId, seconds],
    );
    await transaction.query('UPDATE client_keys SET valid_until = now() + make_interval(secs => $2) WHERE client_id = $1', [clientId, seconds]);
  }

  /** False when the client has no such key. */
  async revoke(clientId: string, keyId: string, transaction: EntityManager): Promise<boolean> {
    const [gone] = await transaction.query<[unknown[], number]>('DELETE FROM client_keys WHERE client_id = $1 AND id = $2 RETURNING id', [clientId, keyId]);
    return gone.length > 0;
  }

  async revokeAll(clientId: string, transaction: EntityManager): Promise<void> {
    await transaction.query('DELETE FROM client_keys WHERE client_id = $1', [clientId]);
  }

  hasEnded(keyId: string): Promise<boolean> {
    return this.checks.add(keyId);
  }

  /** Of these keys, those that are not valid any more. */
  async ended(keyIds: readonly string[], transaction: Queries = this.hot): Promise<string[]> {
    const rows = await transaction.query<{ id: string }[]>(`SELECT k AS id ${ENDED}`, [keyIds]);
    return rows.map(({ id }) => id);
  }

  requireValid(keyIds: readonly string[]): Statement<never> {
    return { text: `SELECT refuse('ended_key') ${ENDED}`, values: [keyIds] };
  }

  private async findAll(hashes: Buffer[]): Promise<(Omit<AgentPrincipal, 'origin'> | null)[]> {
    const rows = await this.hot.query<{ id: string; name: string; keyId: string; hash: string }[]>(
      `SELECT c.id, c.name, k.id AS "keyId", encode(k.key_hash, 'hex') AS hash FROM client_keys k JOIN clients c ON c.id = k.client_id
       WHERE k.key_hash = ANY($1) AND (k.valid_until IS NULL OR k.valid_until > now())`,
      [hashes],
    );
    const found = new Map(rows.map(({ hash, ...agent }) => [hash, { type: 'agent' as const, ...agent }]));
    return hashes.map((hash) => found.get(hash.toString('hex')) ?? null);
  }
}

export const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
