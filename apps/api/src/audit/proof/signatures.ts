import type { Signed } from '@gwanje/contracts';
import { createHash, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto';
import { canonical } from './canonical';

/** Fields that every statement has, whoever signs it. */
export const STATEMENT_FORM = { version: 1, algorithm: 'Ed25519', hash: 'SHA-256' } as const;
export const NO_HASH = '0'.repeat(64);

/** A statement's own hash, in hex: what the next checkpoint names as `previous`. */
export const statementHash = (statement: object): string => hash('sha256', canonical(statement), 'hex');

export function signStatement<S extends object>(statement: S, key: KeyObject): Signed<S> {
  return { statement, signature: sign(null, Buffer.from(canonical(statement)), key).toString('base64') };
}

export function isSignedBy({ statement, signature }: Signed<object>, key: KeyObject): boolean {
  return verify(null, Buffer.from(canonical(statement)), key, Buffer.from(signature, 'base64'));
}

/** SPKI, DER. */
export const publicBytes = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/** The fingerprint of a public key. */
export const keyIdOf = (key: KeyObject): string => createHash('sha256').update(publicBytes(key)).digest('hex');

/** From base64 of SPKI DER; throws unless it is an Ed25519 key. */
export function readPublicKey(base64: string): KeyObject {
  return requireEd25519(createPublicKey({ key: Buffer.from(base64, 'base64'), type: 'spki', format: 'der' }));
}

export function requireEd25519(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`the key is ${key.asymmetricKeyType ?? 'of no known kind'}, not Ed25519`);
  return key;
}
