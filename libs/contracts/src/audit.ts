/** The audit log on the wire, and the statements that make it verifiable. `docs/audit.md` tells how to check them. */

export type AuditOutcome = 'done' | 'refused';

/** One thing that somebody did, or was refused. Exactly this, in canonical form, is what gets sealed. */
export interface AuditItem {
  id: string;
  /** UTC, ISO 8601, microseconds. */
  at: string;
  /** Gapless, from 1; null until the row is sealed, about a second after it was written. */
  position: number | null;
  actor: {
    type: 'user' | 'agent' | 'anonymous' | 'system';
    id: string | null;
    /** A user's e-mail or a client's name, as it was then. */
    name: string | null;
    /** The personal access token that was used, if one was. */
    tokenId: string | null;
  };
  address: string | null;
  /** Dotted, such as `commands.create`. */
  action: string;
  target: { type: string; id: string | null; name: string | null };
  clientId: string | null;
  outcome: AuditOutcome;
  before: unknown;
  after: unknown;
  detail: unknown;
  requestId: string | null;
}

export interface SealedAuditItem extends AuditItem {
  position: number;
}

export const AUDIT_ALGORITHM = 'Ed25519';
export const AUDIT_HASH = 'SHA-256';
/** The action of the record that retention leaves behind. */
export const AUDIT_RETENTION = 'audit.retention';
/** Version of every statement and of the sealed row's form. */
export const AUDIT_VERSION = 1;

interface Statement<Type extends string> {
  type: Type;
  version: typeof AUDIT_VERSION;
  algorithm: typeof AUDIT_ALGORITHM;
  hash: typeof AUDIT_HASH;
  /** SHA-256 of the signer's public key (SPKI, DER), in hex. */
  keyId: string;
}

/** The rows `first` to `last`, sealed. Hashes are hex. */
export interface CheckpointStatement extends Statement<'gwanje.audit.checkpoint'> {
  /** From 1, without gaps. */
  number: number;
  first: number;
  last: number;
  count: number;
  /** RFC 6962 Merkle root over the leaf hashes of the rows. */
  root: string;
  /** Hash of the statement before; 64 zeros for the first. */
  previous: string;
  sealedAt: string;
}

/** The last line of an export, which fixes everything before it. */
export interface EndStatement extends Statement<'gwanje.audit.export'> {
  exportId: string;
  rows: number;
  /** The newest checkpoint when the export was made: number, last position, hash of its statement. Zeros when there was none. */
  head: { number: number; last: number; hash: string };
  /** SHA-256 of every byte before the last line. */
  digest: string;
  endedAt: string;
}

/** The holder of the key `keyId` vouches for a new key. */
export interface KeyStatement extends Statement<'gwanje.audit.key'> {
  newKeyId: string;
}

export interface Signed<S> {
  statement: S;
  /** Ed25519 over the canonical JSON of `statement`, base64. */
  signature: string;
}

export interface AuditKey {
  id: string;
  /** SPKI, DER, base64. */
  publicKey: string;
  /** The word of an older key for this one; null for the first key, or when the older key was lost. */
  vouched: Signed<KeyStatement> | null;
}

export type AuditExportFormat = 'csv' | 'ndjson';
export type AuditExportStatus = 'queued' | 'running' | 'completed' | 'failed';

/** What narrows a list or an export; every part is optional and all given parts hold. */
export interface AuditFilter {
  /** An id, an e-mail or a client's name. */
  actor?: string;
  /** Exact, or a prefix such as `commands.*`. */
  action?: string;
  /** The target's id. */
  target?: string;
  from?: string;
  to?: string;
  outcome?: AuditOutcome;
}

export interface AuditExport {
  id: string;
  status: AuditExportStatus;
  /** Percent. */
  progress: number;
  /** Written so far. */
  rows: number;
  bytes: number | null;
  sha256: string | null;
  format: AuditExportFormat;
  filter: AuditFilter | null;
  errorMessage: string | null;
  createdAt: string;
  completedAt: string | null;
}
