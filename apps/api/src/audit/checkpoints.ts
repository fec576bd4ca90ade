import type { AuditKey, CheckpointStatement, Signed } from '@gwanje/contracts';
import type { EntityManager } from 'typeorm';

export type Checkpoint = Signed<CheckpointStatement>;

const COLUMNS = `number::float8 AS number, first::float8 AS first, last::float8 AS last, count, root, previous,
  to_char(sealed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "sealedAt", version, algorithm, hash, key_id AS "keyId", signature`;

/** Reads signed checkpoints; `clause` goes on after FROM audit_checkpoints. */
export async function readCheckpoints(database: Pick<EntityManager, 'query'>, clause: string, values: unknown[] = []): Promise<Checkpoint[]> {
  const rows = await database.query<(Omit<CheckpointStatement, 'type'> & { signature: string })[]>(
    `SELECT ${COLUMNS} FROM audit_checkpoints ${clause}`,
    values,
  );
  return rows.map(({ signature, ...statement }) => ({ statement: { type: 'gwanje.audit.checkpoint', ...statement }, signature }));
}

export async function addCheckpoint(database: Pick<EntityManager, 'query'>, { statement, signature }: Checkpoint): Promise<void> {
  const { number, first, last, count, root, previous, sealedAt, version, algorithm, hash, keyId } = statement;
  await database.query(
    `INSERT INTO audit_checkpoints (number, first, last, count, root, previous, sealed_at, version, algorithm, hash, key_id, signature)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
    [number, first, last, count, root, previous, sealedAt, version, algorithm, hash, keyId, signature],
  );
}

/** Every key that ever signed, oldest first. */
export function readKeys(database: Pick<EntityManager, 'query'>): Promise<AuditKey[]> {
  return database.query<AuditKey[]>('SELECT id, public_key AS "publicKey", vouched FROM audit_keys ORDER BY created_at, id');
}
