import { isUtf8 } from 'node:buffer';
import { createHash, type KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { csv } from './csv';
import { ExportVerifier, type Verdict } from './export-verifier';
import { Fault } from './lines';
import { ndjson } from './ndjson';

const LINE_FEED = 10;
const MAX_LINE_BYTES = 64 << 20;

/** Verifies an exported file, CSV or NDJSON, in constant memory and without any network or database. Throws a Fault. */
export async function verifyFile(path: string, pinned: KeyObject[] = []): Promise<Verdict> {
  const reader = new ExportReader(pinned);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) reader.read(chunk as Buffer);
  return reader.finish();
}

/** Cuts the bytes of an export into lines, keeps the digest of all bytes before the line at hand, and has every line checked. */
export class ExportReader {
  private readonly verifier: ExportVerifier;
  private readonly digest = createHash('sha256');
  private codec?: typeof csv | typeof ndjson;
  private rest: Buffer = Buffer.alloc(0);
  /** The physical lines of a CSV record that is not complete. */
  private open = '';

  /** `pinned`: the public keys that are trusted; without any, the first key of the file is believed. */
  constructor(pinned: KeyObject[]) {
    this.verifier = new ExportVerifier(pinned);
  }

  read(chunk: Buffer): void {
    const bytes = this.rest.length > 0 ? Buffer.concat([this.rest, chunk]) : chunk;
    let from = 0;
    for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, from)) {
      this.take(bytes.subarray(from, end + 1));
      from = end + 1;
    }
    this.rest = bytes.subarray(from);
    if (this.rest.length > MAX_LINE_BYTES) throw new Fault('a line is longer than any line of an export');
  }

  finish(): Verdict {
    if (this.rest.length > 0 || this.open) throw new Fault('the export is cut in the middle of a line');
    return this.verifier.finish();
  }

  private take(bytes: Buffer): void {
    if (!isUtf8(bytes)) throw new Fault('a line is not UTF-8');
    const text = bytes.toString('utf8');
    if (!this.codec) {
      // Whoever reads the download as a text may have lost the byte order mark, which says nothing.
      this.codec = [csv.preamble, csv.preamble.slice(1)].includes(text) ? csv : ndjson;
      if (this.codec === csv) return void this.digest.update(csv.preamble);
    }
    const record = this.open + text;
    if (this.codec === csv && csv.isOpen(record)) {
      this.open = record;
      return;
    }
    this.open = '';
    this.verifier.take(this.codec.decode(record.slice(0, -1)), () => this.digest.copy().digest('hex'));
    this.digest.update(record);
  }
}
