import { createHash, createPublicKey, verify } from 'node:crypto';

/** What a release says of itself, and is signed for. */
export interface Release {
  version: string;
  /** Hexadecimal, of the bundle's bytes. */
  sha256: string;
  size: number;
}

/** Keeps a signature of something else from counting as one of a release. */
export const SIGNED_AS = 'gwanje-agent-release\n';
const VERSION_FORM = /^(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/;

/** The release that `signed` is of. Throws when it was not signed by the holder of this key (PEM). */
export function openRelease(signed: unknown, publicKey: string): Release {
  const { manifest, signature } = (signed ?? {}) as { manifest?: unknown; signature?: unknown };
  if (typeof manifest !== 'string' || typeof signature !== 'string') throw new Error('the release has no signature');
  const isGenuine = verify(
    null,
    Buffer.from(SIGNED_AS + manifest),
    createPublicKey(publicKey),
    Buffer.from(signature, 'base64'),
  );
  if (!isGenuine) throw new Error('the signature of the release is not by the key that this agent trusts');
  const { version, sha256, size } = JSON.parse(manifest) as Release;
  if (!VERSION_FORM.test(version)) throw new Error('the release has no version');
  return { version, sha256, size };
}

export function isNewer(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => VERSION_FORM.exec(text)?.slice(1).map(Number));
  if (!a || !b) return false;
  const at = a.findIndex((part, index) => part !== b[index]);
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0);
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
