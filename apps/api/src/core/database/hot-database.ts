import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { Socket } from 'node:net';
import { hash } from 'node:crypto';
import { Pool, type PoolClient, type QueryResult } from 'pg';
import type { OpenSockets } from './open-sockets';
import type { Queries } from './queries';
import type { Answers, Statement } from './statement';
import { SteadyClient } from './steady-client';

/** A statement is planned once for a connection, whatever the tables hold by then: by index, or it would read all of a table that has grown since. */
const PLANNING = '-c plan_cache_mode=force_generic_plan -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off';

const BEGIN: Statement = { text: 'BEGIN', values: [] };
const COMMIT: Statement = { text: 'COMMIT', values: [] };

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

  /**
   * All of these, in this order, as one transaction that is sent as a whole: one way there and one back. When one of them fails, nothing
   * is committed, and its fault is thrown.
   */
  async together<const S extends readonly (Statement | null)[]>(statements: S): Promise<Answers<S>> {
    const client = await this.pool.connect();
    let broken: Error | undefined;
    try {
      // kill point: hot.before-send
      const all = [BEGIN, ...statements, COMMIT];
      const sent = all.map((statement) => statement && this.run(client, statement.text, statement.values));
      const settled = Promise.allSettled(sent);
      await sent[0]?.catch(() => undefined);
      // kill point: hot.under-way
      const answers = await settled;
      // kill point: hot.after-answer
      const last = answers.at(-1);
      if (last?.status === 'rejected') broken = last.reason as Error;
      const rows = answers.map((answer, index) => {
        if (answer.status === 'fulfilled') return (answer.value?.rows as unknown[] | undefined) ?? [];
        const fault = answer.reason as Error;
        throw all[index]?.blame?.(fault) ?? fault;
      });
      return rows.slice(1, -1) as Answers<S>;
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

  private run(on: Pool | PoolClient, text: string, values: readonly unknown[] = []): Promise<QueryResult> {
    let name = this.names.get(text);
    if (!name) this.names.set(text, (name = hash('sha256', text, 'base64url').slice(0, 22)));
    return on.query({ name, text, values: values as unknown[] });
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
