import { Injectable } from '@nestjs/common';
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { Config } from '../config/config';

/** Stands in front of everything sealed; a new key gets a new number, and old ones stay for opening. */
const CURRENT_KEY = 1;
const [IV_BYTES, TAG_BYTES] = [12, 16];

/**
 * Seals small secrets that have to be read again: AES-256-GCM under keys derived from JWT_SECRET. `context` names what the text is and
 * whose; what was sealed in one context does not open in another. Layout: key number (1 byte), IV (12), tag (16), text.
 */
@Injectable()
export class Cipher {
  private readonly keys: ReadonlyMap<number, Buffer>;

  constructor(config: Config) {
    this.keys = new Map([[CURRENT_KEY, Buffer.from(hkdfSync('sha256', config.JWT_SECRET, '', `gwanje cipher ${CURRENT_KEY}`, 32))]]);
  }

  seal(text: string, context: string): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key(CURRENT_KEY), iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(CURRENT_KEY), iv, cipher.getAuthTag(), sealed]);
  }

  /** The text, or null for anything that was not sealed here in this context. */
  open(sealed: Buffer, context: string): string | null {
    const key = this.keys.get(sealed[0] ?? 0);
    if (!key || sealed.length < 1 + IV_BYTES + TAG_BYTES) return null;
    const iv = sealed.subarray(1, 1 + IV_BYTES);
    const tag = sealed.subarray(1 + IV_BYTES, 1 + IV_BYTES + TAG_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context)).setAuthTag(tag);
    try {
      return decipher.update(sealed.subarray(1 + IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return null;
    }
  }

  private key(number: number): Buffer {
    const key = this.keys.get(number);
    if (!key) throw new Error(`There is no key ${number}`);
    return key;
  }
}
