import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { extract } from 'tar';
import { ARTIFACTS, DUMP, MANIFEST, type Manifest } from './backup';
import { settle } from './after-restore';
import { hashOf, query, run } from './programs';

/**
 * Puts a backup into an empty database and an empty folder; touches neither when they are not empty, or when the backup is not as it was
 * written. What may have been done since the backup is in doubt then. The server that starts on it brings it up to its own version. Throws an Error that names the fault.
 */
export async function restore(folder: string, databaseUrl: string, artifactsDir: string): Promise<Manifest> {
  const manifest = readManifest(folder);
  for (const [name, { sha256 }] of Object.entries(manifest.files)) {
    const path = join(folder, name);
    if (!existsSync(path) || (await hashOf(path)) !== sha256) throw new Error(`${path} is not as it was written: this backup cannot be trusted`);
  }
  const [tables] = await query<{ count: number }>(
    databaseUrl, `SELECT count(*)::integer AS count FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  if (tables?.count !== 0) throw new Error('the database is not empty: restore into a new one');
  if (existsSync(artifactsDir) && readdirSync(artifactsDir).length > 0) throw new Error(`${artifactsDir} is not empty: restore into a new folder`);
  await run('pg_restore', databaseUrl, ['--exit-on-error', '--no-owner', '--no-privileges', '--single-transaction', join(folder, DUMP)]);
  await settle(databaseUrl);
  mkdirSync(artifactsDir, { recursive: true });
  await extract({ cwd: artifactsDir, file: join(folder, ARTIFACTS) });
  if (manifest.artifactsIn) return manifest;
  const [missing] = await query<{ count: number; first: string | null }>(
    databaseUrl, 'SELECT count(*)::integer AS count, min(id::text) AS first FROM artifacts WHERE NOT id::text = ANY(ARRAY[' +
      readdirSync(artifactsDir).map((name) => `'${name.replaceAll("'", "''")}'`).join() + ']::text[])',
  );
  if (missing && missing.count > 0) throw new Error(`the files of ${missing.count} artifacts are missing, such as ${missing.first}`);
  return manifest;
}

function readManifest(folder: string): Manifest {
  try {
    return JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8')) as Manifest;
  } catch (error) {
    throw new Error(`${folder} holds no whole backup: ${(error as Error).message}`);
  }
}
