import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { validate as isUuid } from 'uuid';
import { ArtifactStore, StoreUnavailable } from './artifact-store';

const AT_ONCE = 500;

/** One file for each artifact, named by its id, in a folder that several servers may share. A file that is not whole never has that name. */
export class DiskArtifactStore extends ArtifactStore {
  constructor(private readonly folder: string) {
    super();
  }

  put(id: string, bytes: Buffer): Promise<void> {
    return this.attempt(async () => {
      const path = this.pathOf(id);
      await mkdir(this.folder, { recursive: true });
      await writeFile(`${path}.part`, bytes, { flush: true });
      await rename(`${path}.part`, path);
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
    const names = (await this.attempt(() => orIfMissing(readdir(this.folder), []))).filter((name) => isUuid(name));
    for (let from = 0; from < names.length; from += AT_ONCE) {
      const some = names.slice(from, from + AT_ONCE);
      const ages = await Promise.all(some.map((name) => stat(this.pathOf(name)).then(({ mtimeMs }) => mtimeMs, () => Infinity)));
      yield some.filter((_, index) => (ages[index] ?? Infinity) < time.getTime());
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

async function orIfMissing<T, Other>(work: Promise<T>, other: Other): Promise<T | Other> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return other;
    throw error;
  }
}
