import { Client } from 'pg';

/** What `pg` says of a statement that was not answered within `query_timeout`. */
export const UNANSWERED = 'Query read timeout';

/**
 * A connection whose loss is never more than an error of what was asked on it. It ends itself when a statement is not answered within the
 * pool's `query_timeout`: PostgreSQL, or the way to it, may be gone without a word, and whatever is asked later would wait as well.
 */
export class SteadyClient extends Client {
  constructor(...args: ConstructorParameters<typeof Client>) {
    super(...args);
    // Its pool listens only while it is idle, and whoever takes it begins a moment later: unheard, the loss would end the process.
    this.on('error', () => undefined);
  }

  override query = ((...args: Parameters<Client['query']>): unknown => {
    const answer: unknown = super.query(...args);
    if (answer instanceof Promise) answer.catch((error: Error) => error.message === UNANSWERED && this.cutOff(error));
    return answer;
  }) as Client['query'];

  protected cutOff(error: Error): void {
    const { connection } = this as unknown as { connection: { stream: { destroy(error: Error): void } } };
    connection.stream.destroy(error);
  }
}
