import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { randomBytes } from 'node:crypto';
import { InvalidInput } from '../core/errors/errors';

const MIN_LENGTH = 12;

/** Hashes passwords with argon2id and makes them up. */
@Injectable()
export class PasswordsService {
  /** Verified when there is no such account, so that it takes as long as a wrong password. */
  private readonly decoy = hash(randomBytes(16));

  /** Hashes a new password; refuses one that is too short, naming `path`. */
  async hashNew(password: string, path = 'password'): Promise<string> {
    if (password.length < MIN_LENGTH) throw new InvalidInput([{ path, message: `must have at least ${MIN_LENGTH} characters` }]);
    return hash(password);
  }

  async matches(password: string, passwordHash: string | undefined): Promise<boolean> {
    const matches = await verify(passwordHash ?? (await this.decoy), password);
    return matches && passwordHash !== undefined;
  }

  /** 120 bits, for a first log-in. */
  makeUp(): string {
    return randomBytes(15).toString('base64url');
  }
}
