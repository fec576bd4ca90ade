import type { AuditExportFormat, AuditFilter, EndStatement } from '@gwanje/contracts';
import { Injectable } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { DataSource, EntityManager } from 'typeorm';
import { AuditReader, type Viewer } from '../audit-reader';
import { csv } from '../proof/csv';
import { ndjson } from '../proof/ndjson';
import type { Line } from '../proof/lines';
import { signStatement, STATEMENT_FORM } from '../proof/signatures';
import { Sealer } from '../sealer';
import { SigningKey } from '../signing-key';
import { ExportSource } from './export-source';

export interface ExportOrder {
  id: string;
  format: AuditExportFormat;
  filter: AuditFilter | null;
  viewer: Viewer;
}

/** How far it is; written to while the export runs. */
export interface ExportState {
  /** Percent. */
  progress: number;
  rows: number;
}

export interface ExportResult {
  bytes: number;
  sha256: string;
}

const CODECS = { csv, ndjson };

/** Writes one export to a file: seals what is not sealed, takes a snapshot, and streams it, some lines at a time, at the pace of the disk. */
@Injectable()
export class ExportWriter {
  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly reader: AuditReader,
    private readonly sealer: Sealer,
    private readonly key: SigningKey,
  ) {}

  async write(order: ExportOrder, path: string, state: ExportState, signal: AbortSignal): Promise<ExportResult> {
    const digest = createHash('sha256');
    let bytes = 0;
    const count = async function* (texts: AsyncGenerator<string>): AsyncGenerator<Buffer> {
      for await (const text of texts) {
        const chunk = Buffer.from(text);
        digest.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    };
    await this.withSnapshot(async (snapshot) => {
      const source = await ExportSource.open(snapshot, this.reader, order.filter, order.viewer);
      const texts = this.texts(order, source, state, () => digest.copy().digest('hex'));
      await pipeline(Readable.from(count(texts), { highWaterMark: 1 }), createWriteStream(path, { mode: 0o600, flush: true }), { signal });
    });
    return { bytes, sha256: digest.digest('hex') };
  }

  private async *texts(order: ExportOrder, source: ExportSource, state: ExportState, digest: () => string): AsyncGenerator<string> {
    const codec = CODECS[order.format];
    const encode = (...lines: Line[]): string => codec.encode(lines);
    const { complete, keys, head } = source;
    const header: Line = {
      type: 'header', version: STATEMENT_FORM.version, exportId: order.id, createdAt: new Date().toISOString(), complete, filter: order.filter, keys,
    };
    yield codec.preamble + encode(header);
    for await (const { lines, position } of source.sections()) {
      state.rows += lines.filter(({ type }) => type === 'row').length;
      state.progress = Math.min(99, Math.floor((100 * position) / head.last));
      yield encode(...lines);
    }
    const end: EndStatement = {
      ...STATEMENT_FORM,
      type: 'gwanje.audit.export',
      keyId: this.key.id,
      exportId: order.id,
      rows: state.rows,
      head,
      digest: digest(),
      endedAt: new Date().toISOString(),
    };
    yield encode({ type: 'end', ...signStatement(end, this.key.key) });
  }

  /** A moment at which everything that is committed is sealed, the records of retention included. */
  private async withSnapshot(work: (snapshot: EntityManager) => Promise<void>): Promise<void> {
    const connection = this.database.createQueryRunner();
    try {
      for (;;) {
        await this.sealer.sealAll();
        await connection.query('START TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
        const [undeclared] = await connection.manager.query<unknown[]>(
          'SELECT 1 FROM audit_retentions r JOIN audit_unsealed u ON u.id = r.audit_id LIMIT 1',
        );
        if (!undeclared) break;
        await connection.query('ROLLBACK');
      }
      await work(connection.manager);
    } finally {
      await connection.query('ROLLBACK').catch(() => undefined);
      await connection.release();
    }
  }
}
