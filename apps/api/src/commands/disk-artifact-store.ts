import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { validate as isUuid } from 'uuid';
import { ArtifactStore, StoreUnavailable } from './artifact-store';

const AT_ONCE = 500;
/** Ends the name of a file that is not whole. */
const PART = '.part';

/** One file for each artifact, named by its id, in a folder that several servers may share. A file that is not whole never has that name. */
export class DiskArtifactStore extends ArtifactStore {
  constructor(private readonly folder: string) {
    super();
  }

  put(id: string, bytes: Buffer): Promise<void> {
    return this.attempt(async () => {
      const path = this.pathOf(id);
      const made = await mkdir(this.folder, { recursive: true });
      try {
        await writeFile(path + PART, bytes, { flush: true });
        await rename(path + PART, path);
      } catch (error) {
        // A full disk gets its space back.
        await rm(path + PART, { force: true });
        throw error;
      }
      // A name lasts when its folder is on the disk, and a new folder when its own is.
      await sync(this.folder);
      for (let at = this.folder; made && at.length >= made.length; at = dirname(at)) await sync(dirname(at));
    });
  }

  open(id: string): Promise<Readable | null> {
    return this.attempt(async () => {
      const file = await orIfMissing(open(this.pathOf(id)), null);
      return file && file.createReadStream();
    });
  }

  remove(id: string): Promise<void> {
    return this.attempt(() => rm(this.pathOf(id), { force: true }));
  }

  async *storedBefore(time: Date): AsyncIterable<string[]> {
    const all = await this.attempt(() => orIfMissing(readdir(this.folder), []));
    const isOld = (name: string): Promise<boolean> => stat(this.pathOf(name)).then(({ mtimeMs }) => mtimeMs < time.getTime(), () => false);
    // What a process that died has begun is nobody's.
    for (const name of all.filter((one) => one.endsWith(PART) && isUuid(one.slice(0, -PART.length)))) if (await isOld(name)) await this.remove(name);
    const names = all.filter((name) => isUuid(name));
    for (let from = 0; from < names.length; from += AT_ONCE) {
      const some = names.slice(from, from + AT_ONCE);
      const old = await Promise.all(some.map(isOld));
      yield some.filter((_, index) => old[index]);
    }
  }

  private pathOf(id: string): string {
    return join(this.folder, id);
  }

  private async attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw new StoreUnavailable(error);
    }
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

async function orIfMissing<T, Other>(work: Promise<T>, other: Other): Promise<T | Other> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return other;
    throw error;
  }
}
