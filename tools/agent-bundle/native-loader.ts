import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { brotliDecompressSync } from 'node:zlib';
import { dataDirOf } from '../../apps/agent/src/config';

/** Compiled parts by platform, such as `linux-x64.glibc`: base64 of what Brotli made of them. */
export type Addons = Record<string, string>;

/** What stands in the bundle for the package by which lmdb finds its compiled part. */
export function loaderOf(addons: Addons): () => unknown {
  return () => {
    try {
      const packed = addons[platform()];
      if (!packed) throw new Error(`this bundle is for ${Object.keys(addons).join(', ')}, and not for ${platform()}`);
      return createRequire(__filename)(unpack(packed)) as unknown;
    } catch (error) {
      process.stderr.write(`the agent cannot start: ${(error as Error).message}\n`);
      process.exit(1);
    }
  };
}

function platform(): string {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return name;
  // Else the report looks up the names of this machine's connections.
  Object.assign(process.report, { excludeNetwork: true });
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return `${name}.${header.glibcVersionRuntime ? 'glibc' : 'musl'}`;
}

/** Writes it once, under the hash of its content, and answers where. A file that does not hold what its name says is written anew. */
function unpack(packed: string): string {
  const bytes = brotliDecompressSync(Buffer.from(packed, 'base64'));
  const hash = sha256(bytes);
  const folder = join(dataDirOf(process.env), 'native');
  const file = join(folder, `${hash}.node`);
  if (existsSync(file) && sha256(readFileSync(file)) === hash) return file;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const part = `${file}.${process.pid}`;
  writeFileSync(part, bytes, { mode: 0o700, flush: true });
  renameSync(part, file);
  return file;
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
