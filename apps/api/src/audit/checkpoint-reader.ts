import type { AuditKey, CheckpointStatement } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource } from 'typeorm';
import { readCheckpoints, readKeys } from './checkpoints';
import { readPublicKey } from './proof/signatures';

export interface CheckpointPage {
  /** `signature` is over the canonical JSON of all other fields. */
  items: (CheckpointStatement & { signature: string })[];
  nextCursor: string | null;
  /** PEM of the key that signs now; null before the first seal. */
  publicKey: string | null;
  /** Every key that ever signed, oldest first; `publicKey` is PEM. */
  keys: AuditKey[];
  /** What is not sealed yet: how many rows, counted up to 10,000, and since when the oldest of them waits. */
  unsealed: { rows: number; since: Date | null };
}

const MOST_COUNTED = 10_000;

/** Shows the chain and its public keys, from which anybody can check any export. */
@Injectable()
export class CheckpointReader {
  constructor(@InjectDataSource() private readonly database: DataSource) {}

  /** Newest first; `cursor` is the number of the last one seen. */
  async list(limit: number, cursor?: number): Promise<CheckpointPage> {
    const before = 'WHERE $1::bigint IS NULL OR number < $1 ORDER BY number DESC LIMIT $2';
    const found = await readCheckpoints(this.database.manager, before, [cursor ?? null, limit + 1]);
    const items = found.slice(0, limit).map(({ statement, signature }) => ({ ...statement, signature }));
    const keys = (await readKeys(this.database.manager)).map((key) => ({ ...key, publicKey: pem(key.publicKey) }));
    const nextCursor = found.length > limit ? `${items.at(-1)?.number ?? ''}` : null;
    const [newest] = await readCheckpoints(this.database.manager, 'ORDER BY number DESC LIMIT 1');
    const publicKey = keys.find(({ id }) => id === newest?.statement.keyId)?.publicKey ?? null;
    const [unsealed] = await this.database.query<CheckpointPage['unsealed'][]>(
      `SELECT count(*)::integer AS rows, min(at) AS since FROM (SELECT at FROM audit_unsealed ORDER BY id LIMIT ${MOST_COUNTED}) waiting`,
    );
    return { items, nextCursor, publicKey, keys, unsealed: unsealed ?? { rows: 0, since: null } };
  }
}

const pem = (base64: string): string => readPublicKey(base64).export({ type: 'spki', format: 'pem' }).toString();
