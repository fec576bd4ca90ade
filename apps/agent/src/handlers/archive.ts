import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { Header, Pack, ReadEntry } from 'tar';
import type { FileCopy } from './read-file';

const BLOCK_BYTES = 512;
/** The header of a long name, and the two blocks that end an archive. */
const OVERHEAD_BYTES = 4 * BLOCK_BYTES;

/** Owns one .tar.gz in memory, made of copies: a file that changes meanwhile cannot break it. */
export class Archive {
  files = 0;
  private readonly pack = new Pack({ portable: true });
  private readonly packed: Promise<Buffer>;
  private taken = OVERHEAD_BYTES;

  /** `maxBytes` bounds the size before compression. */
  constructor(private readonly maxBytes: number) {
    const gzip = createGzip();
    this.packed = buffer(gzip);
    this.pack.on('data', (chunk: Buffer) => void gzip.write(chunk));
    this.pack.on('end', () => gzip.end());
  }

  /** How many bytes the next file may have. */
  get room(): number {
    return Math.max(0, this.maxBytes - this.taken - OVERHEAD_BYTES);
  }

  add(name: string, { bytes, mode, mtime }: FileCopy): void {
    const header = new Header({ path: name, size: bytes.length, mode, mtime, type: 'File' });
    const entry = new ReadEntry(header);
    entry.end(bytes);
    this.pack.add(entry);
    this.files++;
    this.taken += OVERHEAD_BYTES + Math.ceil(bytes.length / BLOCK_BYTES) * BLOCK_BYTES;
  }

  close(): Promise<Buffer> {
    this.pack.end();
    return this.packed;
  }
}
