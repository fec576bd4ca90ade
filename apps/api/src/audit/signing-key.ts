import type { AuditKey } from '@gwanje/contracts';
import { Injectable, Logger } from '@nestjs/common';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { EntityManager } from 'typeorm';
import { SYSTEM } from '../core/access/access';
import { Config } from '../core/config/config';
import { AuditService } from './audit.service';
import { keyIdOf, publicBytes, requireEd25519, signStatement, STATEMENT_FORM } from './proof/signatures';

/** Holds the private key that seals, which is never kept beside the data it protects; writes down every public key that it uses. */
@Injectable()
export class SigningKey {
  readonly key: KeyObject;
  readonly id: string;
  private readonly publicKey: string;
  private readonly log = new Logger('SigningKey');

  constructor(
    private readonly config: Config,
    private readonly audit: AuditService,
  ) {
    this.key = this.load();
    const publicKey = createPublicKey(this.key);
    this.id = keyIdOf(publicKey);
    this.publicKey = publicBytes(publicKey).toString('base64');
  }

  /** Makes the key known before it seals anything. A change of key is recorded, and vouched for by the older key where that is at hand. */
  async register(transaction: EntityManager): Promise<void> {
    const [known] = await transaction.query<unknown[]>('SELECT 1 FROM audit_keys WHERE id = $1', [this.id]);
    if (known) return;
    const [latest] = await transaction.query<{ id: string }[]>('SELECT id FROM audit_keys ORDER BY created_at DESC LIMIT 1');
    const vouched = this.vouch();
    await transaction.query('INSERT INTO audit_keys (id, public_key, vouched) VALUES ($1, $2, $3)', [
      this.id, this.publicKey, vouched && JSON.stringify(vouched),
    ]);
    await this.audit.record(
      {
        by: SYSTEM,
        action: 'audit.key',
        target: { type: 'audit_key', id: this.id },
        outcome: 'done',
        ...(latest && { before: { keyId: latest.id } }),
        after: { keyId: this.id },
        detail: { vouchedBy: vouched?.statement.keyId ?? null },
      },
      transaction,
    );
    if (latest && !vouched) {
      this.log.warn(`the audit log is sealed with another key than before (${this.id}), and no older key vouches for it: see AUDIT_PREVIOUS_KEY_FILE`);
    }
  }

  private vouch(): AuditKey['vouched'] {
    if (!this.config.AUDIT_PREVIOUS_KEY_FILE) return null;
    const previous = readKey(readFileSync(this.config.AUDIT_PREVIOUS_KEY_FILE, 'utf8'), 'AUDIT_PREVIOUS_KEY_FILE');
    return signStatement({ ...STATEMENT_FORM, type: 'gwanje.audit.key', keyId: keyIdOf(createPublicKey(previous)), newKeyId: this.id }, previous);
  }

  private load(): KeyObject {
    const { AUDIT_SIGNING_KEY: given, AUDIT_KEY_FILE: file } = this.config;
    if (given) return readKey(given, 'AUDIT_SIGNING_KEY');
    if (!existsSync(file)) this.make(file);
    return readKey(readFileSync(file, 'utf8'), file);
  }

  /** Written aside and linked: of several processes that start at once, the first one's key stands, and whole. */
  private make(file: string): void {
    const part = `${file}.${randomUUID()}`;
    mkdirSync(dirname(file), { recursive: true });
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(part, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flush: true });
    try {
      linkSync(part, file);
      this.log.warn(`made the key that seals the audit log: ${file}. Keep a copy of it away from the database`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      rmSync(part, { force: true });
    }
  }
}

function readKey(text: string, source: string): KeyObject {
  try {
    return requireEd25519(createPrivateKey(text.includes('-----BEGIN') ? text : Buffer.from(text, 'base64').toString()));
  } catch (error) {
    throw new Error(`${source} must be an Ed25519 private key, PKCS#8 in PEM (or base64 of that): ${(error as Error).message}`);
  }
}
