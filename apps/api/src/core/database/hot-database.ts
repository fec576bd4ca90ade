import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Socket } from 'node:net';
import { hash } from 'node:crypto';
import { Pool, type PoolClient, type QueryResult } from 'pg';
import type { OpenSockets } from './open-sockets';
import type { Queries } from './queries';
import { SteadyClient } from './steady-client';

/** A statement is planned once for a connection, whatever the tables hold by then: by index, or it would read all of a table that has grown since. */
const PLANNING = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off';

/**
 * A few connections for the statements that run thousands of times a second. Each is parsed and planned once a connection, and what is
 * asked without waiting for an answer travels together. Nothing else goes here: a list that somebody asks for never makes a command wait.
 */
@Injectable()
export class HotDatabase implements Queries, OnApplicationShutdown {
  private readonly pool: Pool;
  private readonly names = new Map<string, string>();

  constructor(url: string, sockets: OpenSockets, settings: { max: number; connectMs: number; queryMs: number; options?: string | undefined }) {
    this.pool = new Pool({
      connectionString: url,
      max: settings.max,
      connectionTimeoutMillis: settings.connectMs,
      // An unanswered statement ends its connection: half of it may be gone, and nobody was told.
      query_timeout: settings.queryMs,
      options: `${settings.options ?? ''} ${PLANNING} -c statement_timeout=${settings.queryMs}`,
      pipeline: true,
      Client: SteadyClient,
      stream: () => sockets.add(new OneWriteATurn(), settings.queryMs),
    });
    // Without a listener, a server that stops ends this process.
    this.pool.on('error', (error) => new Logger('HotDatabase').warn(`idle connection lost: ${error.message}`));
  }

  /** As a transaction of its own. */
  async query<T>(text: string, values: unknown[] = []): Promise<T> {
    return (await this.run(this.pool, text, values)).rows as T;
  }

  /** Commits what `work` wrote, or nothing of it. */
  async transaction<T>(work: (transaction: Queries) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      // Not waited for: it travels with the first statement, and fails with it.
      this.run(client, 'BEGIN').catch((error: Error) => (broken = error));
      const result = await work({ query: async (text, values) => (await this.run(client, text, values)).rows as never });
      // kill point: hot.before-commit
      const { command } = await this.run(client, 'COMMIT');
      // kill point: hot.after-commit
      if (command !== 'COMMIT') throw new Error('a statement that nobody waited for has failed: nothing was committed');
      return result;
    } catch (error) {
      await this.run(client, 'ROLLBACK').catch((fault: Error) => (broken = fault));
      throw error;
    } finally {
      client.release(broken);
    }
  }

  get usage(): Pick<Pool, 'totalCount' | 'idleCount' | 'waitingCount'> {
    return this.pool;
  }

  onApplicationShutdown(): Promise<void> {
    return this.pool.end();
  }

  private run(on: Pool | PoolClient, text: string, values: unknown[] = []): Promise<QueryResult> {
    let name = this.names.get(text);
    if (!name) this.names.set(text, (name = hash('sha256', text, 'base64url').slice(0, 22)));
    return on.query({ name, text, values });
  }
}

/** Writes what is said in one turn of the event loop at its end, as one: a call of the system costs more than the bytes. */
class OneWriteATurn extends Socket {
  private gathering = false;

  override cork(): void {
    super.cork();
    if (this.gathering) return;
    this.gathering = true;
    super.cork();
    process.nextTick(() => {
      this.gathering = false;
      this.uncork();
    });
  }
}
