import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { create } from 'tar';
import { version } from '../../package.json';
import { hashOf, query, run } from './programs';

/** What a backup is made of; paths are names in its folder. */
export interface Manifest {
  gwanje: string;
  /** When the dump was begun: what was committed before is in it. */
  at: string;
  postgresql: string;
  migrations: string[];
  /** How far the audit log was sealed, to compare after a restore. */
  auditSealedTo: string;
  /** Where the artifacts are that are not in `files`: the bucket and the prefix of their keys. */
  artifactsIn?: string;
  files: Record<typeof DUMP | typeof ARTIFACTS, { sha256: string }>;
}
export const DUMP = 'database.dump';
export const ARTIFACTS = 'artifacts.tar';
export const MANIFEST = 'manifest.json';

/**
 * Writes one consistent state of the database, then the files of the artifacts: every row of the dump was written after its file, so none
 * is missing; those in a bucket stay there. Works beside running servers. The manifest is written last: a folder without it is no backup. Throws an Error that names the fault.
 */
export async function backup(databaseUrl: string, artifactsDir: string, folder: string, artifactsIn?: string): Promise<Manifest> {
  const to = resolve(folder);
  if (existsSync(to) && readdirSync(to).length > 0) throw new Error(`${folder} is not empty: a backup gets a folder of its own`);
  mkdirSync(to, { recursive: true, mode: 0o700 });
  const [state] = await query<Pick<Manifest, 'at' | 'postgresql' | 'migrations' | 'auditSealedTo'>>(
    databaseUrl,
    `SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, current_setting('server_version') AS postgresql,
       (SELECT array_agg(name ORDER BY id) FROM migrations) AS migrations,
       (SELECT coalesce(max(position), 0)::text FROM audit_seals) AS "auditSealedTo"`,
  );
  if (!state) throw new Error('the database does not answer');
  // Roles and grants are the server's business: it makes them again when it starts.
  await run('pg_dump', databaseUrl, ['--format=custom', '--no-owner', '--no-privileges', '--file', join(to, DUMP)]);
  mkdirSync(artifactsDir, { recursive: true });
  await create({ cwd: artifactsDir, file: join(to, ARTIFACTS), portable: true, filter: (path) => !path.endsWith('.part') }, ['.']);
  const files = { [DUMP]: { sha256: await hashOf(join(to, DUMP)) }, [ARTIFACTS]: { sha256: await hashOf(join(to, ARTIFACTS)) } };
  const manifest: Manifest = { gwanje: version, ...state, ...(artifactsIn && { artifactsIn }), files };
  writeFileSync(join(to, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 });
  return manifest;
}
