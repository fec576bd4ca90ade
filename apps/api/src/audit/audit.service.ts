import type { AuditOutcome } from '@gwanje/contracts';
import { BeforeApplicationShutdown, Injectable, Logger, OnApplicationBootstrap } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { hash } from 'node:crypto';
import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { type Actor, type ProvenPerson, type Refusal, type RefusalRecorder, SYSTEM } from '../core/access/access';
import type { Queries } from '../core/database/queries';
import { ask, type Statement } from '../core/database/statement';
import { isStorable } from '../core/http/request-hygiene';
import { redact, redactText } from '../core/redaction/redact';
import { AuditUnavailable } from './audit.errors';
import { StrangerGate } from './stranger-gate';

/** Of each of before, after and detail. */
const MAX_JSON_BYTES = 64 << 10;
const GATE_MS = 60_000;

export interface AuditEntry {
  by: Actor | ProvenPerson;
  /** Dotted: `commands.create`, `commands.result`. */
  action: string;
  target: { type: string; id: string | null; name?: string };
  outcome: AuditOutcome;
  /** The client that it is about, for readers who may see some clients only. */
  clientId?: string;
  /** The target as it was and as it is, for a change. Secrets are redacted here and need not be by the caller. */
  before?: object;
  after?: object;
  detail?: Record<string, unknown>;
}

/** The only writer of the append-only record. A change passes its own transaction, so that neither stands alone. */
@Injectable()
export class AuditService implements RefusalRecorder, OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = new Logger('Audit');
  private readonly gate = new StrangerGate();
  private timer?: NodeJS.Timeout;

  constructor(@InjectDataSource() private readonly database: DataSource) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.tellLeftOut(), GATE_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.tellLeftOut();
  }

  /** Throws AuditUnavailable when the row cannot be written; the transaction of the caller then fails with it. */
  record(entry: AuditEntry, transaction: Queries = this.database.manager): Promise<void> {
    return this.recordAll([entry], transaction);
  }

  /** The same for any number of entries, in one statement. */
  async recordAll(entries: readonly AuditEntry[], transaction: Queries): Promise<void> {
    const statement = this.recording(entries);
    if (!statement) return;
    await ask(transaction, statement).catch((fault: Error) => {
      throw statement.blame(fault);
    });
  }

  /** The same as a statement; null when there is nothing to record. */
  recording(entries: readonly AuditEntry[]): (Statement<never> & { blame: (fault: Error) => AuditUnavailable }) | null {
    const rows = entries.filter((entry) => this.gate.admits(entry)).map(valuesOf);
    if (rows.length === 0) return null;
    return {
      text: `INSERT INTO audit_log (id, actor_type, actor_id, actor_name, actor_token_id, address, action, target_type, target_id, target_name, client_id,
           outcome, before, after, detail, request_id)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
           $11::uuid[], $12::text[], $13::jsonb[], $14::jsonb[], $15::jsonb[], $16::text[])`,
      values: (rows[0] ?? []).map((_, column) => rows.map((row) => row[column] ?? null)),
      blame: (fault) => {
        this.log.error(`${entries[0]?.action} was not recorded, and so not done: ${fault.message}`);
        return new AuditUnavailable(fault);
      },
    };
  }

  refused(refusal: Refusal): Promise<void> {
    return this.record({ ...refusal, outcome: 'refused' });
  }

  /** Of refused strangers beyond the bound, the record keeps how many there were, of what and from where. */
  async tellLeftOut(): Promise<void> {
    const entries = this.gate.turn().map(({ action, ...detail }): AuditEntry => {
      return { by: SYSTEM, action, target: { type: 'refusals', id: null }, outcome: 'refused', detail };
    });
    await this.recordAll(entries, this.database.manager).catch(() => undefined /* the log has it: nobody waits for this row */);
  }
}

/** In the order of the columns. */
function valuesOf({ by, action, target, outcome, clientId, before, after, detail }: AuditEntry): (string | null)[] {
  return [
    uuid(), by.type, by.id, nameOf(by), by.type === 'user' ? (by.tokenId ?? null) : null, by.origin?.address ?? null, action, target.type,
    text(target.id), text(target.name), clientId ?? null, outcome, json(before), json(after), json(detail ?? {}), text(by.origin?.requestId),
  ];
}

/** Kept with the row: names change, and the record says who it was then. */
function nameOf(by: AuditEntry['by']): string | null {
  if (by.type === 'user') return by.email;
  return by.type === 'agent' ? by.name : null;
}

const text = (value: string | null | undefined): string | null => (value ? storable(redactText(value)) : (value ?? null));

/** A value without measure would make every reader of the log hold it in memory: its beginning and its hash stand for it. */
function json(value: object | undefined): string | null {
  if (!value) return null;
  const whole = JSON.stringify(redact(value), (_key, inner: unknown) => (typeof inner === 'string' ? storable(inner) : inner));
  const bytes = Buffer.byteLength(whole);
  if (bytes <= MAX_JSON_BYTES) return whole;
  return JSON.stringify({ truncated: true, bytes, sha256: hash('sha256', whole, 'hex'), start: storable(whole.slice(0, 1_000)) });
}

/** PostgreSQL stores neither NUL nor lone surrogates, and what somebody tried is recorded even so. */
const storable = (value: string): string => (isStorable(value) ? value : Buffer.from(value.replaceAll('\u0000', '\ufffd')).toString());
