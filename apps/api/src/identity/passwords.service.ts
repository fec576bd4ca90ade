import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { dictionary } from '@zxcvbn-ts/language-common';
import { randomBytes } from 'node:crypto';
import { InvalidInput } from '../core/errors/errors';

const MIN_LENGTH = 12;
const MAX_LENGTH = 1024;

/** Hashes passwords with argon2id (the parameters of OWASP, which are the library's defaults), and makes them up. */
@Injectable()
export class PasswordsService {
  private readonly common = new Set((dictionary['passwords-common'] ?? []).map((word) => String(word).toLowerCase()));
  /** Verified when there is no such account or it has no password, so that it takes as long as a wrong password. */
  private readonly decoy = hash(randomBytes(16));

  /** Hashes a new password; refuses one that is too short, too long or known to everybody, naming `path`. */
  async hashNew(password: string, path = 'password'): Promise<string> {
    const fault = this.faultOf(password);
    if (fault) throw new InvalidInput([{ path, message: fault }]);
    return hash(password);
  }

  async matches(password: string, passwordHash: string | null | undefined): Promise<boolean> {
    const matches = await verify(passwordHash ?? (await this.decoy), password);
    return matches && typeof passwordHash === 'string';
  }

  /** 120 bits, for a first log-in. */
  makeUp(): string {
    return randomBytes(15).toString('base64url');
  }

  private faultOf(password: string): string | null {
    if (password.length < MIN_LENGTH) return `must have at least ${MIN_LENGTH} characters`;
    if (password.length > MAX_LENGTH) return `must have at most ${MAX_LENGTH} characters`;
    // A common password is not better for being written twice, in capitals or with digits behind it.
    const bare = password.toLowerCase().replace(/[\d\W_]+$/, '');
    const half = bare.slice(0, bare.length / 2);
    const known = [password.toLowerCase(), bare, ...(half + half === bare ? [half] : [])].some((word) => this.common.has(word));
    return known || new Set(password).size < 4 ? 'is one of the passwords that are tried first' : null;
  }
}
