import type { CommandFrame, InFlightEntry, ResultReport, SessionOrdinal } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { open, type RootDatabase } from 'lmdb';
import { AgentConfig } from '../config';

export interface JournalEntry {
  frame: CommandFrame;
  state: InFlightEntry['state'];
  result?: ResultReport;
}

/** Not the id of a command. */
const SESSION = 'session';

/** Owns what this machine durably knows of its commands; it must never answer before the disk has it. */
@Injectable()
export class Journal {
  private readonly db: RootDatabase<JournalEntry | SessionOrdinal, string>;
  /** lmdb shows a write only after its commit; decisions between two events need it at once. */
  private readonly entries = new Map<string, JournalEntry>();
  private session: SessionOrdinal = { journal: randomUUID(), number: 0 };

  constructor(config: AgentConfig) {
    mkdirSync(config.dataDir, { recursive: true, mode: 0o700 });
    this.db = open<JournalEntry | SessionOrdinal, string>({
      path: join(config.dataDir, 'journal.mdb'),
      encoding: 'json',
    });
    for (const { key, value } of this.db.getRange()) {
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
    await this.db.put(SESSION, this.session);
    await this.db.flushed;
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
    await this.db.remove(frame.id);
    // kill point: journal.after-remove
    await this.db.flushed;
  }

  async close(): Promise<void> {
    await this.db.flushed;
    await this.db.close();
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
    await this.db.put(entry.frame.id, entry);
    // kill point: journal.before-flush
    await this.db.flushed;
  }
}
