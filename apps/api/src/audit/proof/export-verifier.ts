import { AUDIT_RETENTION, type AuditKey, type CheckpointStatement, type EndStatement } from '@gwanje/contracts';
import type { KeyObject } from 'node:crypto';
import { canonical } from './canonical';
import { type CheckpointLine, type EndLine, Fault, type HeaderLine, type Line, type RowLine } from './lines';
import { leafHash, MerkleBuilder, rootFromProof } from './merkle';
import { isSignedBy, keyIdOf, NO_HASH, readPublicKey, statementHash } from './signatures';

/** What a faultless export proves. */
export interface Verdict {
  complete: boolean;
  rows: number;
  checkpoints: number;
  head: EndStatement['head'];
  endedAt: string;
  /** Fingerprints of the keys that were trusted. */
  keyIds: string[];
  /** Whether the reader brought a key, or the first one of the file was believed. */
  trust: 'pinned' | 'first use';
  /** Everything up to here was dropped by retention, as a sealed record of this file declares. */
  dropped: { checkpoint: number; position: number } | null;
}

/** A checkpoint and what is seen of it so far. */
interface Current extends CheckpointLine {
  hash: string;
  seen: number;
  tree: MerkleBuilder;
}

/** Reads an export line by line, in constant memory, and throws a Fault at the first line that is not as it was sealed. */
export class ExportVerifier {
  private readonly trusted = new Map<string, KeyObject>();
  private readonly trust: Verdict['trust'];
  private header?: HeaderLine;
  private end?: EndLine;
  private current?: Current;
  private position = 0;
  private rows = 0;
  private checkpoints = 0;
  private dropped: Verdict['dropped'] = null;
  private declared = 0;

  /** `pinned`: the public keys that the reader trusts; without any, the first key of the file is believed. */
  constructor(pinned: KeyObject[] = []) {
    this.trust = pinned.length > 0 ? 'pinned' : 'first use';
    for (const key of pinned) this.trusted.set(keyIdOf(key), key);
  }

  /** `digest` answers the SHA-256 (hex) of every byte before this line. */
  take(line: Line, digest: () => string): void {
    if (this.end) throw new Fault('something follows the end of the export');
    if (!this.header && line.type !== 'header') throw new Fault('the export does not start with its header');
    if (line.type === 'header') this.open(line);
    else if (line.type === 'checkpoint') this.enter(line);
    else if (line.type === 'row') this.check(line);
    else this.close(line, digest());
  }

  finish(): Verdict {
    if (!this.header) throw new Fault('there is no header: this is no export of the audit log');
    if (!this.end) throw new Fault(`the export is cut after position ${this.position}: its signed end is missing`);
    const { head, endedAt } = this.end.statement;
    const { complete } = this.header;
    const { rows, checkpoints, trust, dropped } = this;
    return { complete, rows, checkpoints, head, endedAt, keyIds: [...this.trusted.keys()], trust, dropped };
  }

  private open(header: HeaderLine): void {
    if (this.header) throw new Fault('there is a second header');
    this.header = header;
    const keys = header.keys.map((key) => ({ ...key, key: readKey(key) }));
    const [first] = keys;
    if (this.trust === 'first use' && first) this.trusted.set(first.id, first.key);
    // The trust reaches from key to key, in the order in which they followed each other.
    for (const { id, key, vouched } of keys) {
      const voucher = vouched && this.trusted.get(vouched.statement.keyId);
      if (voucher && vouched.statement.newKeyId === id && isSignedBy(vouched, voucher)) this.trusted.set(id, key);
    }
  }

  private enter(line: CheckpointLine): void {
    this.leave();
    const { statement, rows } = line;
    const before = this.current?.statement;
    const complete = this.header?.complete === true;
    const name = `checkpoint ${statement.number}`;
    const hash = statementHash(statement);
    if (before?.number === statement.number) {
      throw new Fault(this.current?.hash === hash ? `${name} is doubled` : `the chain is forked: there are two checkpoints ${statement.number}`);
    }
    if (before && statement.number < before.number) throw new Fault(`${name} is moved: it comes after checkpoint ${before.number}`);
    const expected = complete ? (before?.number ?? 0) + 1 : statement.number;
    if (statement.number !== expected) throw new Fault(`checkpoint ${expected} is missing: ${name} comes in its place`);
    const { number, first, last, count, previous } = statement;
    if (number < 1 || count < 1 || count !== last - first + 1) throw new Fault(`${name} contradicts itself`);
    const follows = number === (before?.number ?? 0) + 1;
    const start = (before?.last ?? 0) + 1;
    if (follows ? first !== start : first < start) throw new Fault(`${name} starts at position ${first}, which does not follow ${start - 1}`);
    if (follows && previous !== (this.current?.hash ?? NO_HASH)) throw new Fault(`the chain is forked: ${name} does not follow the checkpoint before it`);
    this.requireSignature(line, name);
    if (complete ? rows !== count && rows !== 0 : rows < 1 || rows > count) {
      throw new Fault(`${name} is said to have ${rows} rows here, and sealed ${count}`);
    }
    if (complete && rows === 0) this.skip(statement);
    this.current = { ...line, hash, seen: 0, tree: new MerkleBuilder() };
    this.checkpoints++;
  }

  /** Only a beginning of the log can have been dropped. */
  private skip({ number, last }: CheckpointStatement): void {
    if (this.rows > 0) throw new Fault(`the rows of checkpoint ${number} are missing`);
    this.dropped = { checkpoint: number, position: last };
    this.position = last;
  }

  private check({ row, leaf, proof }: RowLine): void {
    const { position } = row;
    const checkpoint = this.current;
    if (!checkpoint) throw new Fault(`row ${position} stands before any checkpoint`);
    const { first, last, count, root, number } = checkpoint.statement;
    if (position === this.position) throw new Fault(`row ${position} is doubled`);
    if (position < this.position) throw new Fault(`row ${position} is moved: it comes after row ${this.position}`);
    const complete = this.header?.complete === true;
    const next = this.position + 1;
    if (checkpoint.seen === checkpoint.rows) throw new Fault(`row ${position} is one too many for checkpoint ${number}`);
    if (complete && position !== next) throw new Fault(`row ${next} is missing or moved: row ${position} comes in its place`);
    if (position < first || position > last) throw new Fault(`row ${position} is not of checkpoint ${number}, which sealed ${first} to ${last}`);
    const hash = leafHash(canonical(row));
    if (hash.toString('hex') !== leaf) throw new Fault(`row ${position} was changed: it does not give its leaf hash`);
    if (complete) {
      if (proof) throw new Fault(`row ${position} has a proof, which a complete export does not have`);
      checkpoint.tree.add(hash);
    } else {
      const siblings = (proof ?? []).map((text) => Buffer.from(text, 'hex'));
      const found = rootFromProof(hash, position - first, count, siblings);
      if (found?.toString('hex') !== root) throw new Fault(`row ${position} was changed: its proof does not lead to the root of checkpoint ${number}`);
    }
    checkpoint.seen++;
    this.rows++;
    this.position = position;
    if (row.action === AUDIT_RETENTION) this.declared = Math.max(this.declared, lastDropped(row.detail));
  }

  private leave(): void {
    if (!this.current) return;
    const { rows, seen, tree, statement } = this.current;
    const { number, first, last, root } = statement;
    const complete = this.header?.complete === true;
    if (seen < rows && complete) throw new Fault(`row ${this.position + 1} is missing`);
    if (seen < rows) throw new Fault(`a row of checkpoint ${number} is missing after row ${this.position}: ${rows} were exported, ${seen} are here`);
    if (complete && rows > 0 && tree.root().toString('hex') !== root) {
      throw new Fault(`a row from ${first} to ${last} was changed together with its leaf hash: they do not give the root of checkpoint ${number}`);
    }
  }

  private close(line: EndLine, digest: string): void {
    this.leave();
    this.requireSignature(line, 'the end of the export');
    const { statement } = line;
    const { head } = statement;
    const { number, last } = this.current?.statement ?? { number: 0, last: 0 };
    const here = { number, last, hash: this.current?.hash ?? NO_HASH };
    if (this.header?.complete ? canonical(here) !== canonical(head) : number > head.number) {
      throw new Fault(`the export is cut after position ${this.position}: the log went up to position ${head.last}, checkpoint ${head.number}`);
    }
    if (statement.exportId !== this.header?.exportId) throw new Fault('the end belongs to another export');
    if (statement.rows !== this.rows) throw new Fault(`rows are missing: ${statement.rows} were exported, ${this.rows} are here`);
    if (this.dropped && this.dropped.checkpoint > this.declared) {
      throw new Fault(`rows 1 to ${this.dropped.position} are missing, and no sealed record says that retention dropped them`);
    }
    if (statement.digest !== digest) {
      throw new Fault('something outside the rows was changed (header, keys, counts or a signature): the file does not give its signed digest');
    }
    this.end = line;
  }

  private requireSignature(signed: CheckpointLine | EndLine, name: string): void {
    const { keyId } = signed.statement;
    const key = this.trusted.get(keyId);
    if (!key) throw new Fault(`${name} is signed with the key ${keyId}, for which nobody trusted vouches: name it with --public-key if you trust it`);
    if (!isSignedBy(signed, key)) throw new Fault(`${name} was changed: its signature is not valid`);
  }
}

const lastDropped = (detail: unknown): number => Number((detail as { lastCheckpoint?: unknown } | null)?.lastCheckpoint) || 0;

function readKey({ id, publicKey }: AuditKey): KeyObject {
  let key: KeyObject;
  try {
    key = readPublicKey(publicKey);
  } catch (error) {
    throw new Fault(`the public key ${id} cannot be used: ${(error as Error).message}`);
  }
  if (keyIdOf(key) !== id) throw new Fault(`the public key ${id} is another one than its fingerprint says`);
  return key;
}
