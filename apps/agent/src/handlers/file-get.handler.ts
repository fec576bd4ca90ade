import { MAX_ARTIFACT_BYTES } from '@gwanje/contracts';
import { basename } from 'node:path';
import { realPath } from '../policy/real-path';
import type { Handler, HandlerContext, HandlerResult } from './handler';
import { readRegularFile } from './read-file';

/** Owns bringing one file to the server; it must never read what is not a regular file. */
export class FileGetHandler implements Handler {
  readonly action = 'file_get';

  async run(context: HandlerContext): Promise<HandlerResult> {
    const { path, maxBytes = MAX_ARTIFACT_BYTES } = context.frame.payload as { path: string; maxBytes?: number };
    const { bytes } = await readRegularFile(realPath(path), maxBytes);
    const { id, size, sha256 } = await context.upload(basename(path), 'application/octet-stream', bytes);
    return { success: true, data: { artifactId: id, path, size, sha256 } };
  }
}
