import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** What opening must refuse: a link put there after the policy's look, and a pipe that nobody writes to. */
const SAFE = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
const CHUNK_BYTES = 1 << 20;

export interface FileCopy {
  bytes: Buffer;
  mode: number;
  mtime: Date;
}

/**
 * The bytes of a regular file as they are while it is read: it may grow, shrink or be removed meanwhile.
 * Throws when it is none, or has more than `maxBytes`. `path` is a real path.
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<FileCopy> {
  const file = await open(path, SAFE);
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw new Error(`${path} is a folder`);
    if (!stat.isFile()) throw new Error(`${path} is not a regular file`);
    if (stat.size > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes`);
    const chunks: Buffer[] = [];
    let total = 0;
    // To the end and not to `size`, which is 0 in /proc and old news in a log.
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES);
      if (bytesRead === 0) break;
      total += bytesRead;
      if (total > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes`);
      chunks.push(buffer.subarray(0, bytesRead));
    }
    return { bytes: Buffer.concat(chunks), mode: stat.mode & 0o777, mtime: stat.mtime };
  } finally {
    await file.close();
  }
}
