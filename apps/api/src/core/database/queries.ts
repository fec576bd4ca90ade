/** What runs statements: a transaction, or a database that makes one of each. Answers the rows. */
export interface Queries {
  query<T>(text: string, values?: unknown[]): Promise<T>;
}
