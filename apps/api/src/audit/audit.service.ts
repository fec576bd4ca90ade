import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { Actor, Refusal, RefusalRecorder } from '../core/access/access';

export interface AuditEntry {
  by: Actor;
  /** Dotted: `commands.create`, `commands.result`. */
  action: string;
  target: { type: string; id: string | null };
  outcome: 'done' | 'refused';
  /** The client that it is about, for readers who may see some clients only. */
  clientId?: string;
  /** The target as it was and as it is, for a change. */
  before?: object;
  after?: object;
  detail?: Record<string, unknown>;
}

/** The only writer of the append-only record. A change passes its own transaction, so that neither stands alone. */
@Injectable()
export class AuditService implements RefusalRecorder {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async record(entry: AuditEntry, transaction: EntityManager = this.database.manager): Promise<void> {
    const { by, action, target, outcome, clientId, before, after, detail } = entry;
    await transaction.query(
      `INSERT INTO audit_log (id, actor_type, actor_id, actor_token_id, address, action, target_type, target_id, client_id, outcome, before, after, detail, request_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
      [
        uuid(), by.type, by.id, by.type === 'user' ? (by.tokenId ?? null) : null, by.origin?.address ?? null, action, target.type, target.id,
        clientId ?? null, outcome, before ? JSON.stringify(before) : null, after ? JSON.stringify(after) : null, JSON.stringify(detail ?? {}),
        by.origin?.requestId ?? null,
      ],
    );
  }

  refused(refusal: Refusal): Promise<void> {
    return this.record({ ...refusal, outcome: 'refused' });
  }
}
