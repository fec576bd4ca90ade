import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { hash } from 'node:crypto';
import { Socket } from 'node:net';
import { DatabaseError, Pool } from 'pg';
import { isAway } from './away';
import { Exchange, type Named, type Row } from './exchange';
import type { OpenSockets } from './open-sockets';
import type { Queries } from './queries';
import type { Answers, Statement } from './statement';
import { SteadyClient, UNANSWERED } from './steady-client';

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
      Client: HotClient,
      stream: () => sockets.add(new Socket(), settings.queryMs),
    });
    // Without a listener, a server that stops ends this process.
    this.pool.on('error', (error) => new Logger('HotDatabase').warn(`idle connection lost: ${error.message}`));
  }

  /** As a transaction of its own. */
  async query<T>(text: string, values: unknown[] = []): Promise<T> {
    const [rows] = await this.together([{ text, values: values as Statement['values'] }]);
    return rows as T;
  }

  /**
   * All of these, in this order, as one transaction that is sent as a whole: one way there and one back. When one of them fails, nothing
   * is committed, and its fault is thrown.
   */
  async together<const S extends readonly (Statement | null)[]>(statements: S): Promise<Answers<S>> {
    const sent = statements.filter((statement) => statement !== null);
    const client = (await this.pool.connect()) as HotClient & { release(broken?: Error): void };
    let broken: Error | undefined;
    try {
      // kill point: hot.before-send
      const exchange = client.exchange(sent.map((statement) => this.named(statement)));
      // kill point: hot.under-way
      const fault = await exchange.end;
      // kill point: hot.after-answer
      if (!fault) {
        const rows = exchange.answers.values();
        return statements.map((statement): Row[] => (statement && rows.next().value) ?? []) as Answers<S>;
      }
      if (!(fault instanceof DatabaseError) || isAway(fault)) throw (broken = fault);
      throw sent[exchange.answers.length]?.blame?.(fault) ?? fault;
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

  private named({ text, values }: Statement): Named {
    let name = this.names.get(text);
    if (!name) this.names.set(text, (name = hash('sha256', text, 'base64url').slice(0, 22)));
    return { name, text, values };
  }
}

class HotClient extends SteadyClient {
  exchange(statements: readonly Named[]): Exchange {
    const exchange = new Exchange(statements);
    this.query(exchange);
    void exchange.end.then((fault) => fault?.message === UNANSWERED && this.cutOff(fault));
    return exchange;
  }
}
