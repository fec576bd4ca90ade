import { Injectable } from '@nestjs/common';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { Config } from '../config/config';
import { keysOf } from './keys';

const [IV_BYTES, TAG_BYTES] = [12, 16];

/**
 * Seals small secrets that have to be read again: AES-256-GCM under the key of SECRETS_KEYS with the highest number, or else the one made
 * of JWT_SECRET; all of them open. `context` names what the text is and whose; what was sealed in one context does not open in another.
 * Layout: key number (1 byte), IV (12), tag (16), text. Where it is kept is listed in `sealed-columns.ts`.
 */
@Injectable()
export class Cipher {
  private readonly keys: ReadonlyMap<number, Buffer>;
  /** The number of the key that seals. */
  readonly current: number;

  constructor(config: Config) {
    this.keys = keysOf(config);
    this.current = Math.max(...this.keys.keys());
  }

  seal(text: string, context: string): Buffer {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.key(this.current), iv, { authTagLength: TAG_BYTES }).setAAD(Buffer.from(context));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([Buffer.of(this.current), iv, cipher.getAuthTag(), sealed]);
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

  has(number: number): boolean {
    return this.keys.has(number);
  }

  private key(number: number): Buffer {
    const key = this.keys.get(number);
    if (!key) throw new Error(`There is no key ${number}`);
    return key;
  }
}
