import { END_STATES } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import type { DataSource, EntityManager } from 'typeorm';
import { validate as isUuid } from 'uuid';
import type { AgentPrincipal } from '../core/access/access';
import { Conflict, Hidden, NotFound } from '../core/errors/errors';
import { Bus } from '../core/events/bus.service';
import type { EventStream } from '../core/http/sse';
import { CommandStore } from './command-store';
import type { OutputDto } from './commands.dto';

interface OutputRow {
  position: string;
  attempt: number;
  seq: number | null;
  stream: 'stdout' | 'stderr' | 'progress';
  text: string;
}
interface LogRow {
  revision: number;
  eventType: string;
  attempt: number;
  data: unknown;
}
const CATCH_UP_MS = 2_000;
/** Pieces of output that are in memory at a time for one reader. */
const PAGE = 20;
/** Events of the history that are named otherwise than the state that they leave the command in. */
const STATUS_BEHIND: Record<string, string> = { created: 'pending', retry: 'pending', cancel_requested: 'running' };
const ENDED: ReadonlySet<string> = new Set(END_STATES);

/** Stores what running commands print, in the order of its commits, and streams it to those who watch. */
@Injectable()
export class OutputService {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly store: CommandStore,
    private readonly bus: Bus,
  ) {}

  async append(id: string, body: OutputDto, agent: AgentPrincipal): Promise<void> {
    const found = isUuid(id) && (await this.store.transaction(async (transaction) => {
      // The command's row lock makes the order of positions the order of commits: a reader's cursor never skips one.
      const command = await this.store.lock(id, transaction);
      if (command?.clientId !== agent.id) return false;
      const attempt = body.attempt ?? command.attempt;
      const isCurrent = attempt === command.attempt;
      if (!isCurrent || !['dispatched', 'running', 'timed_out'].includes(command.status)) {
        // Said again, because its answer was lost: the result, or another attempt, came meanwhile.
        if (await isStored(id, attempt, body.chunks, transaction)) return true;
        if (!isCurrent) throw new Conflict('stale_attempt', `The command is at attempt ${command.attempt}, not ${attempt}`);
        throw new Conflict('command_ended', `The command is ${command.status} and takes no output`);
      }
      const rows: Pick<OutputRow, 'seq' | 'stream' | 'text'>[] = [...body.chunks];
      // Nothing tells the progress of a report that is said again from another, but its chunks do.
      const isRepeat = body.progress !== undefined && (await isStored(id, attempt, body.chunks, transaction));
      if (body.progress && !isRepeat) rows.push({ seq: null, stream: 'progress', text: JSON.stringify(body.progress) });
      await transaction.query(
        `INSERT INTO command_outputs (command_id, position, attempt, seq, stream, text)
         SELECT $1, (SELECT coalesce(max(position), 0) FROM command_outputs WHERE command_id = $1) + n.place, $2, n.seq, n.stream, n.text
         FROM unnest($3::integer[], $4::text[], $5::text[]) WITH ORDINALITY AS n (seq, stream, text, place)
         ON CONFLICT (command_id, attempt, seq) DO NOTHING`,
        [id, attempt, rows.map((row) => row.seq), rows.map((row) => row.stream), rows.map((row) => row.text)],
      );
      return true;
    }));
    if (!found) throw new Hidden('commands.output', { type: 'command', id });
    // kill point: output.after-commit
    this.bus.publish('commands', { ids: [id] });
  }

  /** What was stored so far as JSON, `{ items }`; never more than a page of it in memory. */
  async *read(id: string): AsyncGenerator<string> {
    let rows = await this.outputs(id, '0');
    let separator = '';
    yield '{"items":[';
    for (; rows.length > 0; rows = await this.outputs(id, rows.at(-1)?.position ?? '')) {
      for (const { position: _, ...row } of rows) {
        if (row.stream === 'progress') continue;
        yield separator + JSON.stringify(row);
        separator = ',';
      }
    }
    yield ']}';
  }

  /**
   * Streams history and output from `lastEventId` on, without a gap and without a repeat. An id is `<revision>.<position>`,
   * how far the reader is in the history and in the output. Ends after the command's end; answers false when nothing is left.
   */
  async watch(given: string, lastEventId: string | undefined, open: () => Promise<EventStream>): Promise<boolean> {
    // As the news name it.
    const id = given.toLowerCase();
    const [, revisionText = '0', positionText = '0'] = /^(\d{1,9})\.(\d{1,18})$/.exec(lastEventId ?? '') ?? [];
    const cursor = { revision: Number(revisionText), position: positionText };
    const [state] = await this.database.query<{ status: string; revision: number }[]>('SELECT status, revision FROM commands WHERE id = $1', [id]);
    if (!state) throw new NotFound('command');
    // Output may come after an end that the agent has not confirmed.
    const hasRead = ENDED.has(state.status) && cursor.revision >= state.revision;
    if (hasRead && (await this.outputs(id, cursor.position, 1)).length === 0) return false;

    const stream = await open();
    let busy: Promise<void> | undefined;
    let again = false;
    const pump = (): void => {
      again = true;
      busy ??= (async () => {
        while (again && stream.open) {
          again = false;
          await this.sendNew(id, cursor, hasRead, stream).catch(() => undefined /* tried again at the next news or round */);
          if (stream.congested) stream.onCaughtUp(pump);
        }
      })().finally(() => (busy = undefined));
    };
    const unsubscribe = this.bus.on('commands', ({ ids }) => {
      if (ids.includes(id)) pump();
    });
    const timer = setInterval(pump, CATCH_UP_MS);
    stream.onClose(() => {
      clearInterval(timer);
      unsubscribe();
    });
    pump();
    return true;
  }

  private async sendNew(id: string, cursor: { revision: number; position: string }, hasRead: boolean, stream: EventStream): Promise<void> {
    // History first: output that was stored before the end is then read after it, and nothing is missed.
    const logs = await this.database.query<LogRow[]>(
      `SELECT revision, event_type AS "eventType", attempt, data FROM command_logs WHERE command_id = $1 AND revision > $2 ORDER BY revision`,
      [id, cursor.revision],
    );
    const last = logs.at(-1);
    const ended = last !== undefined && ENDED.has(last.eventType);
    for (const log of ended ? logs.slice(0, -1) : logs) this.sendStatus(log, cursor, stream);
    for (let rows = await this.outputs(id, cursor.position); rows.length > 0; rows = await this.outputs(id, cursor.position)) {
      for (const { position, stream: kind, text, ...row } of rows) {
        // What the reader cannot take yet is read again when it has caught up.
        if (stream.congested) return;
        cursor.position = position;
        const eventId = `${cursor.revision}.${position}`;
        if (kind === 'progress') stream.send('progress', { attempt: row.attempt, ...(JSON.parse(text) as object) }, eventId);
        else stream.send('output', { ...row, stream: kind, text }, eventId);
      }
    }
    if (ended) this.sendStatus(last, cursor, stream);
    if (ended || (hasRead && !last)) stream.finish();
  }

  private sendStatus(log: LogRow, cursor: { revision: number; position: string }, stream: EventStream): void {
    cursor.revision = log.revision;
    const status = STATUS_BEHIND[log.eventType] ?? log.eventType;
    stream.send('status', { status, attempt: log.attempt, data: log.data }, `${cursor.revision}.${cursor.position}`);
  }

  private outputs(id: string, after: string, limit = PAGE): Promise<OutputRow[]> {
    return this.database.query<OutputRow[]>(
      'SELECT position, attempt, seq, stream, text FROM command_outputs WHERE command_id = $1 AND position > $2 ORDER BY position LIMIT $3',
      [id, after, limit],
    );
  }
}

/** Whether there are some, and all of them have come before. */
async function isStored(id: string, attempt: number, chunks: readonly { seq: number }[], transaction: EntityManager): Promise<boolean> {
  const seqs = [...new Set(chunks.map(({ seq }) => seq))];
  const [known] = await transaction.query<{ count: number }[]>(
    'SELECT count(*)::integer AS count FROM command_outputs WHERE command_id = $1 AND attempt = $2 AND seq = ANY($3)', [id, attempt, seqs],
  );
  return seqs.length > 0 && known?.count === seqs.length;
}
