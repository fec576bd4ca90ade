import type { CommandFrame, InFlightEntry, ResultReport, SessionOrdinal } from '@gwanje/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { AgentConfig } from '../config';
import { backoffMs, messageOf, wait } from '../waiting';

export interface JournalEntry {
  frame: CommandFrame;
  state: InFlightEntry['state'];
  result?: ResultReport;
}

/** Not ids of commands. */
const SESSION = 'session';
const FILLER = 'filler';
/**
 * lmdb writes over what it has freed before it lets its file grow: an agent whose disk is full works on within this, and can be told to
 * make room.
 */
const RESERVE_BYTES = 8 * 2 ** 20;
/** Between two tries to write what has no room. */
const ROOM_MS = { first: 200, most: 5_000 };

/**
 * Owns what this machine durably knows of its commands; it must never answer before the disk has it. Where the disk takes nothing, whoever
 * asked waits until it does.
 */
@Injectable()
export class Journal {
  private readonly log = new Logger('journal');
  private readonly db: RootDatabase<JournalEntry | SessionOrdinal | string, string>;
  private readonly patience = new AbortController();
  /** lmdb shows a write only after its commit; decisions between two events need it at once. */
  private readonly entries = new Map<string, JournalEntry>();
  private session: SessionOrdinal = { journal: randomUUID(), number: 0 };

  constructor(config: AgentConfig) {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
    const path = join(config.dataDir, 'journal.mdb');
    // A commit is on the disk when its promise resolves. With the defaults some promises of one that fails are heard by nobody, or never settle.
    this.db = open({ path, encoding: 'json', overlappingSync: false, eventTurnBatching: false });
    this.reserve(path);
    for (const { key, value } of this.db.getRange()) {
      // The filler, where it could not be removed.
      if (typeof value === 'string') continue;
      if ('frame' in value) this.entries.set(key, value);
      else this.session = value;
    }
  }

  get(id: string): JournalEntry | undefined {
    return this.entries.get(id);
  }

  all(): JournalEntry[] {
    return [...this.entries.values()];
  }

  inFlight(): InFlightEntry[] {
    return this.all().map(({ frame, state }) => ({ id: frame.id, attempt: frame.attempt, state }));
  }

  /** A later one than ever before, also after a restart. */
  async nextSession(): Promise<SessionOrdinal> {
    this.session = { ...this.session, number: this.session.number + 1 };
    await this.untilDone(() => this.db.put(SESSION, this.session));
    return this.session;
  }

  /** False when this attempt, or a later one, is known already, or an earlier one still runs. */
  async received(frame: CommandFrame): Promise<boolean> {
    const known = this.entries.get(frame.id);
    if (known && (known.frame.attempt >= frame.attempt || known.state === 'started')) return false;
    await this.save({ frame, state: 'received' });
    return true;
  }

  async started(frame: CommandFrame): Promise<boolean> {
    return this.move(frame, { state: 'started' });
  }

  async finished(frame: CommandFrame, result: ResultReport): Promise<boolean> {
    return this.move(frame, { state: 'finished', result });
  }

  /** The attempt fences: the answer to an old attempt must not take the entry of a new one away. */
  async remove(frame: CommandFrame): Promise<void> {
    if (this.entries.get(frame.id)?.frame.attempt !== frame.attempt) return;
    this.entries.delete(frame.id);
    // kill point: journal.before-remove
    await this.write(frame.id);
    // kill point: journal.after-remove
  }

  /** Whoever still waits for room gets an error: an agent that is to stop must not wait for it. */
  stopWaiting(): void {
    this.patience.abort();
  }

  async close(): Promise<void> {
    this.stopWaiting();
    await this.db.close();
  }

  private reserve(path: string): void {
    try {
      if (statSync(path).size < RESERVE_BYTES) this.db.putSync(FILLER, ' '.repeat(RESERVE_BYTES));
      if (this.db.doesExist(FILLER)) this.db.removeSync(FILLER);
    } catch (error) {
      this.log.warn(`no room for the journal's reserve of ${RESERVE_BYTES} bytes: ${messageOf(error)}`);
    }
  }

  /** The frame stays as it was received: of the trace, what a restarted agent continues is what the server has sent. */
  private async move(frame: CommandFrame, step: Omit<JournalEntry, 'frame'>): Promise<boolean> {
    const known = this.entries.get(frame.id);
    if (known?.frame.attempt !== frame.attempt || known.state === 'finished') return false;
    await this.save({ frame: known.frame, ...step });
    return true;
  }

  private async save(entry: JournalEntry): Promise<void> {
    this.entries.set(entry.frame.id, entry);
    // kill point: journal.before-put
    await this.write(entry.frame.id);
    // kill point: journal.after-put
  }

  /** Each try writes what is known then: what has waited for room must not undo what came after it. */
  private write(id: string): Promise<void> {
    return this.untilDone(() => {
      const entry = this.entries.get(id);
      return entry ? this.db.put(id, entry) : this.db.remove(id);
    });
  }

  private async untilDone(commit: () => Promise<boolean>): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        await commit();
        return;
      } catch (error) {
        const cause = await causeOf(error);
        this.patience.signal.throwIfAborted();
        this.log.error(`not written, and tried again: ${messageOf(cause)}`);
        await wait(backoffMs(failures, ROOM_MS.first, ROOM_MS.most), this.patience.signal);
      }
    }
  }
}

/** lmdb tells why a commit has failed in a promise of its own, which rejects. */
function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<never> };
  return commitError?.catch((cause: unknown) => cause) ?? Promise.resolve(error);
}
