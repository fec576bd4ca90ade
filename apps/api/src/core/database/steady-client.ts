import { Client } from 'pg';

/**
 * A connection that ends itself when a statement is not answered within the pool's `query_timeout`: PostgreSQL, or the way to it, may be
 * gone without a word, and whatever is asked on it later would wait as well.
 */
export class ImpatientClient extends Client {
  override query = ((...args: Parameters<Client['query']>): unknown => {
    const answer: unknown = super.query(...args);
    if (answer instanceof Promise) answer.catch((error: Error) => error.message === 'Query read timeout' && this.cutOff(error));
    return answer;
  }) as Client['query'];

  private cutOff(error: Error): void {
    const { connection } = this as unknown as { connection: { stream: { destroy(error: Error): void } } };
    connection.stream.destroy(error);
  }
}
