import { type Connection, type Submittable, types } from 'pg';
import { prepareValue } from 'pg/lib/utils';
import type { Statement } from './statement';

/** A statement, and the name under which a connection keeps its plan. */
export type Named = Pick<Statement, 'text' | 'values'> & { name: string };
export type Row = Record<string, unknown>;

/** A value as it is sent. */
type Written = ReturnType<typeof prepareValue>;
/** The messages of the protocol, as `pg` sends them: its types ask for more. */
interface Wire {
  parse(statement: { name: string; text: string }): void;
  bind(values: { statement: string; values: Written[] }): void;
  describe(portal: { type: 'P' }): void;
  execute(portal: object): void;
  sync(): void;
}
interface Column {
  name: string;
  parse: (text: string) => unknown;
}
/** What a connection keeps of statements. */
interface Kept {
  /** Those that are parsed, with the columns of their answers once these were told. */
  plans: Map<string, Column[] | null>;
  /** Those that it was told to parse, the next to be done first. */
  parsing: string[];
}

const keptBy = new WeakMap<Connection, Kept>();

/**
 * Statements that are one transaction, one way there and one back. PostgreSQL takes what stands before a `Sync` as one transaction: it skips the
 * rest when a statement fails, commits or rolls back at the `Sync`, and answers everything at once
 * (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING).
 */
export class Exchange implements Submittable {
  /** The rows of each statement that was answered. Nothing of it is committed before the end. */
  readonly answers: Row[][] = [];
  /** Null when all is committed; or the fault. */
  readonly end: Promise<Error | null>;
  /** `pg` puts one of its own around it, which ends the waiting. */
  callback!: (fault: Error | null) => void;
  private readonly statements: (Pick<Named, 'name' | 'text'> & { values: Written[] })[];
  private rows: Row[] = [];
  private kept!: Kept;

  constructor(statements: readonly Named[]) {
    // Before anything is sent: what cannot be written fails all of it.
    this.statements = statements.map(({ name, text, values }) => ({ name, text, values: values.map((value) => prepareValue(value)) }));
    this.end = new Promise((resolve) => (this.callback = resolve));
  }

  submit(connection: Connection): void {
    const wire = connection as unknown as Wire;
    this.kept = keptBy.get(connection) ?? keep(connection);
    const { plans, parsing } = this.kept;
    // What the last one had parsed is known by now, and what it had not, was skipped.
    parsing.length = 0;
    connection.stream.cork();
    for (const { name, text, values } of this.statements) {
      if (!plans.has(name) && !parsing.includes(name)) {
        parsing.push(name);
        wire.parse({ name, text });
      }
      wire.bind({ statement: name, values });
      if (!plans.get(name)) wire.describe({ type: 'P' });
      wire.execute({});
    }
    wire.sync();
    connection.stream.uncork();
  }

  handleRowDescription({ fields }: { fields: { name: string; dataTypeID: number }[] }): void {
    this.columns = fields.map(({ name, dataTypeID }) => ({ name, parse: types.getTypeParser(dataTypeID) as Column['parse'] }));
  }

  handleDataRow({ fields }: { fields: (string | null)[] }): void {
    const row: Row = {};
    for (const [index, { name, parse }] of this.columns.entries()) {
      const text = fields[index] ?? null;
      row[name] = text === null ? null : parse(text);
    }
    this.rows.push(row);
  }

  handleCommandComplete(): void {
    // What has no description by now answers no rows.
    if (!this.kept.plans.get(this.current)) this.columns = [];
    this.answers.push(this.rows);
    this.rows = [];
  }

  handleReadyForQuery(): void {
    this.callback(null);
  }

  handleError(fault: Error): void {
    this.callback(fault);
  }

  private get columns(): Column[] {
    return this.kept.plans.get(this.current) ?? [];
  }

  private set columns(columns: Column[]) {
    this.kept.plans.set(this.current, columns);
  }

  private get current(): string {
    return this.statements[this.answers.length]?.name ?? '';
  }
}

function keep(connection: Connection): Kept {
  const kept: Kept = { plans: new Map(), parsing: [] };
  keptBy.set(connection, kept);
  connection.on('parseComplete', () => {
    const name = kept.parsing.shift();
    if (name !== undefined) kept.plans.set(name, null);
  });
  return kept;
}
