import type { Queries } from './queries';

type Plain = string | number | boolean | Buffer | null;

/** A statement that asks for nothing but its values, so that it can be sent before anything is answered. */
export interface Statement<Row = unknown> {
  text: string;
  /** Such that the driver can write down any of them: what it could not send would be missing from what is committed. */
  values: readonly (Plain | readonly Plain[])[];
  /** What whoever sent it is told when it fails; the fault itself by default. */
  blame?: (fault: Error) => Error;
  /** Nothing but the type of its rows. */
  row?: Row;
}

type RowsOf<S> = S extends Statement<infer Row> ? Row[] : never[];
/** The rows of each; of what is null, none. */
export type Answers<S extends readonly (Statement | null)[]> = { -readonly [Index in keyof S]: RowsOf<S[Index]> };

/** Among others, in a transaction that goes step by step. */
export const ask = <Row>(transaction: Queries, { text, values }: Statement<Row>): Promise<Row[]> => transaction.query<Row[]>(text, [...values]);

/** What the function `refuse` of the database raises: a statement has found something else than it expects, and the transaction is undone. */
const REFUSED = 'GW001';

/** What was refused, in the word that the statement gave to `refuse`; null for any other fault. */
export function refusalOf(fault: unknown): string | null {
  const { code, message } = fault as { code?: string; message: string };
  return code === REFUSED ? message : null;
}
