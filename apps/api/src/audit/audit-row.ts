import type { AuditItem } from '@gwanje/contracts';

/** A row of `audit_log a LEFT JOIN audit_seals s`, as ITEM_COLUMNS reads it. */
export interface AuditRow {
  id: string;
  at: string;
  position: number | null;
  actor_type: AuditItem['actor']['type'];
  actor_id: string | null;
  actor_name: string | null;
  actor_token_id: string | null;
  address: string | null;
  action: string;
  target_type: string;
  target_id: string | null;
  target_name: string | null;
  client_id: string | null;
  outcome: AuditItem['outcome'];
  before: unknown;
  after: unknown;
  detail: unknown;
  request_id: string | null;
}

export const ITEM_COLUMNS = `a.id, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at, a.actor_type, a.actor_id, a.actor_name,
  a.actor_token_id, a.address, a.action, a.target_type, a.target_id, a.target_name, a.client_id, a.outcome, a.before, a.after, a.detail, a.request_id`;
export const SEALED_COLUMNS = `${ITEM_COLUMNS}, s.position::float8 AS position, s.leaf`;

/** The one form of an audit row: what the API shows is what gets sealed and exported. */
export function toItem<P extends number | null>(row: Omit<AuditRow, 'position'>, position: P): AuditItem & { position: P } {
  return {
    id: row.id,
    at: row.at,
    position,
    actor: { type: row.actor_type, id: row.actor_id, name: row.actor_name, tokenId: row.actor_token_id },
    address: row.address,
    action: row.action,
    target: { type: row.target_type, id: row.target_id, name: row.target_name },
    clientId: row.client_id,
    outcome: row.outcome,
    before: row.before,
    after: row.after,
    detail: row.detail,
    requestId: row.request_id,
  };
}
