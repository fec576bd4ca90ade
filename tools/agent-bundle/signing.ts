import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { sha256, SIGNED_AS } from '../../apps/agent/src/update/release';

/** Writes `<file>.sig`: which version these bytes are, signed with the key of releases; and `<file>.pub`, for machines that are installed. */
export function signBundle(file: string, keyFile: string): void {
  const bytes = readFileSync(file);
  const [, version] = /^\/\/ gwanje-agent (\S+) /.exec(bytes.subarray(0, 200).toString()) ?? [];
  if (!version) throw new Error(`${file} is not an agent`);
  const manifest = JSON.stringify({ version, sha256: sha256(bytes), size: bytes.length });
  const signature = sign(null, Buffer.from(SIGNED_AS + manifest), createPrivateKey(readFileSync(keyFile))).toString('base64');
  writeFileSync(`${file}.sig`, JSON.stringify({ manifest, signature }));
  writeFileSync(`${file}.pub`, createPublicKey(readFileSync(keyFile)).export({ type: 'spki', format: 'pem' }));
}

/** `npm run release:key -- FILE`: the private key into FILE, which must not be there yet, and the public one into FILE.pub. */
export function makeKey(file: string): void {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  writeFileSync(`${file}.pub`, publicKey.export({ type: 'spki', format: 'pem' }));
}
