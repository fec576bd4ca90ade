import { parseArgs } from 'node:util';
import { backup } from './backup';
import { restore } from './restore';

const USAGE = `npm run backup -- FOLDER     writes the database of DATABASE_URL and the files of ARTIFACTS_DIR into a new folder; with
                             ARTIFACTS_S3_BUCKET (and ARTIFACTS_S3_PREFIX) it notes where the artifacts are, and leaves them there
npm run restore -- FOLDER    puts them into an empty database and an empty folder

JWT_SECRET, SECRETS_KEYS and the key of the audit log (AUDIT_KEY_FILE) are not in a backup: keep them where secrets are kept. A server does
not start without the keys that its secrets are sealed under; with another audit key the log goes on under the new one.`;

/** `npm run backup` and `npm run restore`; exit code 0 when it is done, else 1 and one line that says why. */
async function main(): Promise<void> {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [direction, folder, ...others] = positionals;
  const databaseUrl = process.env['DATABASE_OWNER_URL'] ?? process.env['DATABASE_URL'];
  const artifactsDir = process.env['ARTIFACTS_DIR'] ?? '.gwanje/artifacts';
  if (!folder || others.length > 0) throw new Error(USAGE);
  if (!databaseUrl) throw new Error('Set DATABASE_URL: the database to save, or the empty one to restore into');
  if (direction === 'backup') {
    const bucket = process.env['ARTIFACTS_S3_BUCKET'];
    const artifactsIn = bucket && `s3://${bucket}/${process.env['ARTIFACTS_S3_PREFIX'] ?? ''}`;
    const { at, auditSealedTo } = await backup(databaseUrl, artifactsDir, folder, artifactsIn);
    console.log(`Saved in ${folder}: everything up to ${at}; the audit log is sealed up to position ${auditSealedTo}`);
    if (artifactsIn) console.log(`The artifacts are not in it: they stay in ${artifactsIn}`);
  } else {
    const { at, gwanje, auditSealedTo, artifactsIn } = await restore(folder, databaseUrl, artifactsDir);
    console.log(`Restored: everything up to ${at}, of version ${gwanje}; the audit log is sealed up to position ${auditSealedTo}`);
    if (artifactsIn) console.log(`The artifacts are not in this backup, but in ${artifactsIn}: start the server with the settings of that bucket`);
    console.log('Start the server with the same JWT_SECRET, SECRETS_KEYS and audit key, export the audit log, and verify it: npm run audit:verify');
  }
}

main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
