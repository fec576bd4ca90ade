import { createHash, randomUUID } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { realPath } from '../policy/real-path';
import type { Handler, HandlerContext, HandlerResult } from './handler';
import { readRegularFile } from './read-file';

export interface FilePutPayload {
  path: string;
  content: string;
  encoding?: 'utf8' | 'base64';
  mode?: string;
  overwrite?: boolean;
}

const NEW_FILE_MODE = 0o600;

/** Owns writing one file, all of it or nothing; it must never leave half a file under the wanted name. */
export class FilePutHandler implements Handler {
  readonly action = 'file_put';

  async run({ frame }: HandlerContext): Promise<HandlerResult> {
    const payload = frame.payload as unknown as FilePutPayload;
    const bytes = decode(payload);
    const target = realPath(payload.path);
    const data = { path: payload.path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    const old = await modeOf(target);
    const mode = payload.mode ? parseInt(payload.mode, 8) : (old ?? NEW_FILE_MODE);
    // Done already, perhaps by this very command before a crash.
    if (old === mode && (await holds(target, bytes))) return { success: true, data: { ...data, changed: false } };
    if (old !== undefined && !payload.overwrite && !(await holds(target, bytes))) return exists(payload.path);
    const replace = payload.overwrite || old !== undefined;
    return (await write(target, bytes, mode, replace))
      ? { success: true, data: { ...data, changed: true } }
      : exists(payload.path);
  }
}

function exists(path: string): HandlerResult {
  return { success: false, error: `${path} exists with another content; overwrite: true replaces it` };
}

/** Node skips what is not base64, and would write something else than was meant. */
function decode({ content, encoding = 'utf8' }: FilePutPayload): Buffer {
  const bytes = Buffer.from(content, encoding);
  if (encoding === 'base64' && bytes.toString('base64') !== content.replace(/\s/g, '')) {
    throw new Error('the content is not base64');
  }
  return bytes;
}

/** Undefined when there is nothing under this name. */
async function modeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found && !found.isFile()) throw new Error(`${path} exists and is not a regular file`);
  return found && found.mode & 0o777;
}

async function holds(path: string, bytes: Buffer): Promise<boolean> {
  return readRegularFile(path, bytes.length).then(
    (old) => old.bytes.equals(bytes),
    () => false,
  );
}

/** False when another file appeared under the name that was free. */
async function write(target: string, bytes: Buffer, mode: number, replace: boolean): Promise<boolean> {
  const temporary = `${target}.${randomUUID()}.part`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(bytes);
      // The process's umask had its say in `open`.
      await file.chmod(mode);
      await file.sync();
    } finally {
      await file.close();
    }
    if (replace) await rename(temporary, target);
    else await link(temporary, target);
    await syncFolder(dirname(target));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && !replace) return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** The new name is on the disk only with its folder; Windows opens no folders and needs none of it. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
}
