import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Verdict } from '../../apps/api/src/audit/proof/export-verifier';
import { Fault } from '../../apps/api/src/audit/proof/lines';
import { requireEd25519 } from '../../apps/api/src/audit/proof/signatures';
import { verifyFile } from '../../apps/api/src/audit/proof/verify-file';

const USAGE = 'usage: npm run audit:verify -- FILE [--public-key FILE]';

/** `npm run audit:verify`: one line about an export of the audit log; exit code 0 when nothing is wrong with it, else 1. */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { 'public-key': { type: 'string', multiple: true } },
    allowPositionals: true,
  });
  const [file, ...others] = positionals;
  if (!file || others.length > 0) throw new Error(USAGE);
  console.log(describe(await verifyFile(file, (values['public-key'] ?? []).flatMap(readKeys))));
}

/** Every public key of a PEM file. */
function readKeys(file: string): KeyObject[] {
  const blocks = readFileSync(file, 'utf8').match(/-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g);
  if (!blocks) throw new Error(`${file} holds no public key in PEM`);
  return blocks.map((block) => requireEd25519(createPublicKey(block)));
}

function describe(verdict: Verdict): string {
  const { rows, checkpoints, complete, head, endedAt, dropped, trust, keyIds } = verdict;
  const scope = complete
    ? `the whole log up to position ${head.last}, nothing missing`
    : 'a choice of rows: each is genuine and none of the choice is missing';
  const parts = [
    `${rows} rows in ${checkpoints} checkpoints, ${scope}, as of ${endedAt}`,
    ...(dropped ? [`rows 1 to ${dropped.position} were dropped by retention, as declared`] : []),
    `${trust === 'pinned' ? 'key as given' : 'trust on first use: key'} ${keyIds.join(', ')}`,
  ];
  return `VALID: ${parts.join('; ')}`;
}

main().catch((error: Error) => {
  console.error(error instanceof Fault ? `NOT VALID: ${error.message}` : error.message);
  process.exitCode = 1;
});
