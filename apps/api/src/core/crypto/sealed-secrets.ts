import type { Queries } from '../database/queries';
import type { Cipher } from './cipher';
import { JWT_KEY, LOST } from './keys';
import { SEALED_COLUMNS, type SealedColumn } from './sealed-columns';

/** How many rows of a column are sealed under which key. */
export interface Holding {
  table: string;
  number: number;
  count: number;
}

interface SealedRow {
  id: string;
  sealed: Buffer;
  context: string;
}

/** Some secrets have a megabyte. */
const AT_ONCE = 50;
const SAMPLE = 5;

/** Everything in the database that is sealed, seen as a whole: under which keys, whether they are here, and sealed anew under the present one. */
export class SealedSecrets {
  constructor(
    private readonly cipher: Cipher,
    private readonly database: Queries & { transaction<T>(work: (transaction: Queries) => Promise<T>): Promise<T> },
  ) {}

  async holdings(): Promise<Holding[]> {
    const all = await Promise.all(
      SEALED_COLUMNS.map(({ table, column }) =>
        this.database.query<Holding[]>(
          `SELECT '${table}' AS table, get_byte(${column}, 0) AS number, count(*)::integer AS count FROM ${table} WHERE ${column} IS NOT NULL GROUP BY 2 ORDER BY 2`,
        ),
      ),
    );
    return all.flat();
  }

  /** Throws an Error that names the keys that are missing or are not those that sealed what is here. Asks an index, and opens a few rows. */
  async requireKeys(): Promise<void> {
    const faults = (await Promise.all(SEALED_COLUMNS.map((column) => this.faultsOf(column)))).flat();
    if (faults.length === 0) return;
    throw new Error(
      `Some secrets in the database cannot be opened:\n  - ${faults.join('\n  - ')}\n` +
        'Put the key back; when it is lost for good, "npm run secrets -- --forget-lost" gives up what it sealed (docs/operations.md, "Keys").',
    );
  }

  /** Seals under the present key what is sealed under another. Throws, and leaves them as they are, for rows that no key here opens. */
  async reseal(): Promise<number> {
    let count = 0;
    for (const column of SEALED_COLUMNS) {
      count += await this.rewrite(column, `get_byte(${column.column}, 0) NOT IN (${this.cipher.current}, ${LOST})`, ({ id, sealed, context }) => {
        const text = this.cipher.open(sealed, context);
        if (text === null) throw new Error(`${column.table} ${id} is sealed under key ${sealed[0]}, and that key is not here`);
        return this.cipher.seal(text, context);
      });
    }
    return count;
  }

  /** Marks as lost what no key here opens: it is asked for no more, and nobody is let in or given anything by it. */
  async forgetLost(): Promise<number> {
    let count = 0;
    for (const column of SEALED_COLUMNS) {
      await this.rewrite(column, `get_byte(${column.column}, 0) <> ${LOST}`, ({ sealed, context }) => {
        if (this.cipher.open(sealed, context) !== null) return sealed;
        count += 1;
        return Buffer.of(LOST);
      });
    }
    return count;
  }

  private async faultsOf({ table, column, id, context }: SealedColumn): Promise<string[]> {
    const rows = await this.database.query<(SealedRow & { number: number })[]>(
      `SELECT number, s.* FROM generate_series(${LOST + 1}, 255) number CROSS JOIN LATERAL (
         SELECT ${id} AS id, ${column} AS sealed, ${context} AS context FROM ${table} WHERE ${column} IS NOT NULL AND get_byte(${column}, 0) = number LIMIT ${SAMPLE}
       ) s`,
    );
    return [...new Set(rows.map(({ number }) => number))].flatMap((number) => {
      const opens = rows.some((row) => row.number === number && this.cipher.open(row.sealed, row.context) !== null);
      if (opens) return [];
      if (number === JWT_KEY) return [`${table}: sealed under a key that was made of another JWT_SECRET`];
      return [`${table}: sealed under key ${number}, and SECRETS_KEYS has ${this.cipher.has(number) ? 'another key of that number' : 'no such key'}`];
    });
  }

  /** In the order of the ids, a few rows at a time, each few locked. Beside others that do the same, and beside running servers. */
  private async rewrite({ table, id, column, context }: SealedColumn, where: string, change: (row: SealedRow) => Buffer): Promise<number> {
    let count = 0;
    for (let after = '00000000-0000-0000-0000-000000000000', rows: SealedRow[]; ; after = rows.at(-1)?.id ?? after) {
      rows = await this.database.transaction(async (transaction) => {
        const some = await transaction.query<SealedRow[]>(
          `SELECT ${id} AS id, ${column} AS sealed, ${context} AS context FROM ${table}
           WHERE ${column} IS NOT NULL AND ${where} AND ${id} > $1 ORDER BY ${id} LIMIT ${AT_ONCE} FOR NO KEY UPDATE`,
          [after],
        );
        const changed = some.map((row) => ({ id: row.id, sealed: change(row), before: row.sealed })).filter(({ sealed, before }) => sealed !== before);
        await transaction.query(
          `UPDATE ${table} SET ${column} = n.sealed FROM unnest($1::uuid[], $2::bytea[]) AS n (id, sealed) WHERE ${table}.${id} = n.id`,
          [changed.map((row) => row.id), changed.map((row) => row.sealed)],
        );
        return some;
      });
      count += rows.length;
      if (rows.length < AT_ONCE) return count;
    }
  }
}
