import { Injectable } from '@nestjs/common';
import { Cipher } from '../core/crypto/cipher';
import type { Queries } from '../core/database/queries';

/** A payload as it is stored: its secret parameters are sealed, apart from the others. */
export interface StoredPayload {
  id: string;
  batchId: string | null;
  payload: Record<string, unknown>;
  sealedSecrets: Buffer | null;
}

/** The columns of a StoredPayload, of `commands c`. */
export const STORED_PAYLOAD = `c.id, c.batch_id AS "batchId", c.payload, c.sealed_secrets AS "sealedSecrets"`;

/** SQL on `commands c`: an early version stored its secrets in the payload itself. */
const IS_OLD = `c.secret_parameters <> '{}' AND c.sealed_secrets IS NULL AND c.payload ?| c.secret_parameters`;
const AT_ONCE = 50;

/**
 * Seals the secret parameters of a command before it is stored, and opens them for its agent and for the limits of grants; nobody else may
 * ask. They are sealed for the command, or for its batch, whose commands have one payload.
 */
@Injectable()
export class PayloadSecrets {
  constructor(private readonly cipher: Cipher) {}

  /** `owner` is the id of the batch, or of the command that has none. */
  seal(payload: Record<string, unknown>, names: readonly string[], owner: string): Pick<StoredPayload, 'payload' | 'sealedSecrets'> {
    if (names.length === 0) return { payload, sealedSecrets: null };
    const [secret, open] = [true, false].map((wanted) => Object.fromEntries(Object.entries(payload).filter(([name]) => names.includes(name) === wanted)));
    return { payload: open ?? {}, sealedSecrets: this.cipher.seal(JSON.stringify(secret), contextOf(owner)) };
  }

  /** The whole payload; null when the key of its secrets is not here. */
  open({ id, batchId, payload, sealedSecrets }: StoredPayload): Record<string, unknown> | null {
    if (!sealedSecrets) return payload;
    const opened = this.cipher.open(sealedSecrets, contextOf(batchId ?? id));
    return opened === null ? null : { ...payload, ...(JSON.parse(opened) as Record<string, unknown>) };
  }

  async countOld(database: Queries): Promise<number> {
    const [row] = await database.query<{ count: number }[]>(`SELECT count(*)::integer AS count FROM commands c WHERE ${IS_OLD}`);
    return row?.count ?? 0;
  }

  /** Seals what an early version stored in the payload itself. Answers how many commands had such secrets. */
  async sealOld(database: { transaction<T>(work: (transaction: Queries) => Promise<T>): Promise<T> }): Promise<number> {
    for (let count = 0, after = '00000000-0000-0000-0000-000000000000'; ; ) {
      const rows = await database.transaction(async (transaction) => {
        const some = await transaction.query<(StoredPayload & { names: string[] })[]>(
          `SELECT ${STORED_PAYLOAD}, c.secret_parameters AS names FROM commands c
           WHERE c.id > $1 AND ${IS_OLD} ORDER BY c.id LIMIT ${AT_ONCE} FOR NO KEY UPDATE`,
          [after],
        );
        for (const { id, batchId, payload, names } of some) {
          const given = names.filter((name) => Object.hasOwn(payload, name));
          const stored = this.seal(payload, given, batchId ?? id);
          await transaction.query('UPDATE commands SET payload = $2, sealed_secrets = $3, secret_parameters = $4 WHERE id = $1', [
            id, JSON.stringify(stored.payload), stored.sealedSecrets, given,
          ]);
        }
        return some;
      });
      count += rows.length;
      after = rows.at(-1)?.id ?? after;
      if (rows.length < AT_ONCE) return count;
    }
  }
}

const contextOf = (owner: string): string => `command:${owner}`;
