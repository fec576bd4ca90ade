import type { AuditFilter, AuditKey, EndStatement } from '@gwanje/contracts';
import type { EntityManager } from 'typeorm';
import { type AuditReader, type Viewer } from '../audit-reader';
import { type AuditRow, SEALED_COLUMNS, toItem } from '../audit-row';
import { type Checkpoint, readCheckpoints, readKeys } from '../checkpoints';
import { MerkleTree } from '../proof/merkle';
import type { CheckpointLine, Line, RowLine } from '../proof/lines';
import { NO_HASH, statementHash } from '../proof/signatures';

/** So few that what they leave behind is young garbage: whole checkpoints at once would grow the process. */
const ROWS_AT_ONCE = 50;
const CHECKPOINTS_AT_ONCE = 500;

type SealedRow = Omit<AuditRow, 'position'> & { position: number; leaf: Buffer };

/** The sealed rows of one snapshot of the database, in the order of their positions, as the lines of an export; bounded in memory. */
export class ExportSource {
  private rows: SealedRow[] = [];
  private next = 0;
  private finished = false;

  /** `snapshot` is a read-only transaction that sees one moment. */
  private constructor(
    private readonly snapshot: EntityManager,
    readonly complete: boolean,
    readonly keys: AuditKey[],
    readonly head: EndStatement['head'],
    private readonly dropped: number,
  ) {}

  static async open(snapshot: EntityManager, reader: AuditReader, filter: AuditFilter | null, viewer: Viewer): Promise<ExportSource> {
    const [last] = await readCheckpoints(snapshot, 'ORDER BY number DESC LIMIT 1');
    const { number, last: position } = last?.statement ?? { number: 0, last: 0 };
    const [retention] = await snapshot.query<{ number: number }[]>('SELECT coalesce(max(last_checkpoint), 0)::float8 AS number FROM audit_retentions');
    const where = reader.select(filter ?? {}, viewer);
    const complete = !filter && reader.seesAll(viewer);
    // Of all rows, sorting them would be the first fetch's: on a large log longer than any statement may take.
    await snapshot.query(complete ? 'SET LOCAL enable_sort = off' : 'SET LOCAL cursor_tuple_fraction = 1');
    await snapshot.query(
      `DECLARE export NO SCROLL CURSOR FOR SELECT ${SEALED_COLUMNS} FROM audit_seals s JOIN audit_log a ON a.id = s.audit_id
       WHERE ${where.sql} ORDER BY s.position`,
      where.values,
    );
    const head = { number, last: position, hash: last ? statementHash(last.statement) : NO_HASH };
    return new ExportSource(snapshot, complete, await readKeys(snapshot), head, retention?.number ?? 0);
  }

  /** Each checkpoint, followed by those of its rows that are asked for, some lines at a time. `position` is how far that is in the log. */
  async *sections(): AsyncGenerator<{ lines: Line[]; position: number }> {
    yield* this.complete ? this.all() : this.chosen();
  }

  private async *all(): AsyncGenerator<{ lines: Line[]; position: number }> {
    for await (const checkpoint of this.checkpoints()) {
      const { number, last, count } = checkpoint.statement;
      const kept = number > this.dropped;
      yield { lines: [lineOf(checkpoint, kept ? count : 0)], position: last };
      if (!kept) continue;
      for (let rows = await this.some(last); rows.length > 0; rows = await this.some(last)) yield { lines: rows.map((row) => rowLine(row)), position: last };
    }
  }

  private async *chosen(): AsyncGenerator<{ lines: Line[]; position: number }> {
    for (let row = await this.peek(); row; row = await this.peek()) {
      const [checkpoint] = await readCheckpoints(this.snapshot, 'WHERE last >= $1 ORDER BY last LIMIT 1', [row.position]);
      if (!checkpoint) throw new Error(`position ${row.position} belongs to no checkpoint`);
      const { first, last } = checkpoint.statement;
      const sealed = 'SELECT leaf FROM audit_seals WHERE position BETWEEN $1 AND $2 ORDER BY position';
      const leaves = await this.snapshot.query<{ leaf: Buffer }[]>(sealed, [first, last]);
      const tree = new MerkleTree(leaves.map(({ leaf }) => leaf));
      const rows = await this.take(last);
      yield { lines: [lineOf(checkpoint, rows.length)], position: last };
      for (const each of rows) yield { lines: [rowLine(each, tree.proof(each.position - first))], position: last };
    }
  }

  private async *checkpoints(): AsyncGenerator<Checkpoint> {
    for (let after = 0; ; ) {
      const some = await readCheckpoints(this.snapshot, 'WHERE number > $1 ORDER BY number LIMIT $2', [after, CHECKPOINTS_AT_ONCE]);
      yield* some;
      if (some.length < CHECKPOINTS_AT_ONCE) return;
      after = some.at(-1)?.statement.number ?? 0;
    }
  }

  /** The rows up to a position. */
  private async take(last: number): Promise<SealedRow[]> {
    const taken: SealedRow[] = [];
    for (let rows = await this.some(last); rows.length > 0; rows = await this.some(last)) taken.push(...rows);
    return taken;
  }

  /** The next of the rows up to a position, as many as are at hand; none when there are none left. */
  private async some(last: number): Promise<SealedRow[]> {
    await this.peek();
    const from = this.next;
    while (this.next < this.rows.length && (this.rows[this.next] as SealedRow).position <= last) this.next++;
    return this.rows.slice(from, this.next);
  }

  private async peek(): Promise<SealedRow | undefined> {
    if (this.next >= this.rows.length && !this.finished) {
      this.rows = await this.snapshot.query<SealedRow[]>(`FETCH ${ROWS_AT_ONCE} FROM export`);
      this.next = 0;
      this.finished = this.rows.length < ROWS_AT_ONCE;
    }
    return this.rows[this.next];
  }
}

const lineOf = (checkpoint: Checkpoint, rows: number): CheckpointLine => ({ type: 'checkpoint', rows, ...checkpoint });

function rowLine(row: SealedRow, proof?: Buffer[]): RowLine {
  return {
    type: 'row',
    row: toItem(row, row.position),
    leaf: row.leaf.toString('hex'),
    ...(proof && { proof: proof.map((hash) => hash.toString('hex')) }),
  };
}
