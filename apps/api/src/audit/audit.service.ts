import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { v7 as uuid } from 'uuid';
import type { Principal } from '../core/access/access';

export interface AuditEntry {
  actor: Pick<Principal, 'type' | 'id'> | { type: 'system'; id: null } | { type: 'anonymous'; id: null };
  /** Dotted: `commands.create`, `commands.result`. */
  action: string;
  target: { type: string; id: string | null };
  outcome: 'done' | 'refused';
  detail?: Record<string, unknown>;
  requestId?: string;
}

/** The only writer of the append-only record. A change passes its own transaction, so that neither stands alone. */
@Injectable()
export class AuditService {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  async record(entry: AuditEntry, transaction: EntityManager = this.database.manager): Promise<void> {
    await transaction.query(
      `INSERT INTO audit_log (id, actor_type, actor_id, action, target_type, target_id, outcome, detail, request_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
      [
        uuid(), entry.actor.type, entry.actor.id, entry.action, entry.target.type, entry.target.id, entry.outcome,
        JSON.stringify(entry.detail ?? {}), entry.requestId ?? null,
      ],
    );
  }
}
