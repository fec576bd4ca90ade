import { Injectable, Logger } from '@nestjs/common';
import { InjectDataSource } from '@nestjs/typeorm';
import { createHash, randomBytes } from 'node:crypto';
import { generateSecret, generateURI, verifySync } from 'otplib';
import type { DataSource, EntityManager } from 'typeorm';
import { AuditService } from '../audit/audit.service';
import type { Actor } from '../core/access/access';
import { Cipher } from '../core/crypto/cipher';

/** One step (30 s) before and after the present one. */
const TOLERANCE_SECONDS = 30;
const PENDING_MINUTES = 15;
const RECOVERY_CODES = 10;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

interface Secret {
  secret: Buffer;
  /** When it was given, as PostgreSQL writes it: a secret that is sealed anew stays the same. */
  given: string;
  /** Seconds, on PostgreSQL's clock. */
  now: number;
}

/** Time-based codes (RFC 6238) and recovery codes: the only reader of their secrets. Each code is taken once. */
@Injectable()
export class OneTimeCodes {
  private readonly log = new Logger('OneTimeCodes');

  constructor(
    @InjectDataSource() private readonly database: DataSource,
    private readonly cipher: Cipher,
    private readonly audit: AuditService,
  ) {}

  /** A new secret that counts for nothing until it is confirmed; null when the account has a confirmed one. */
  async begin(user: { id: string; email: string }, transaction: EntityManager): Promise<{ secret: string; otpauthUri: string } | null> {
    const secret = generateSecret();
    const rows = await transaction.query<unknown[]>(
      `INSERT INTO second_factors AS f (user_id, secret) VALUES ($1, $2)
       ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, created_at = now() WHERE f.confirmed_at IS NULL RETURNING user_id`,
      [user.id, this.cipher.seal(secret, contextOf(user.id))],
    );
    return rows.length > 0 ? { secret, otpauthUri: generateURI({ issuer: 'Gwanje', label: user.email, secret }) } : null;
  }

  /** `absent` when there is nothing to confirm, or it is older than 15 minutes. */
  async confirm(userId: string, otp: string, transaction: EntityManager): Promise<'confirmed' | 'wrong' | 'absent'> {
    const [pending] = await transaction.query<Secret[]>(
      `SELECT secret, created_at::text AS given, extract(epoch FROM now())::float8 AS now FROM second_factors
       WHERE user_id = $1 AND confirmed_at IS NULL AND created_at > now() - interval '${PENDING_MINUTES} minutes' FOR UPDATE`,
      [userId],
    );
    if (!pending) return 'absent';
    const step = this.stepOf(userId, otp.replaceAll(' ', ''), pending);
    if (step === null) return 'wrong';
    await transaction.query('UPDATE second_factors SET confirmed_at = now(), last_step = $2 WHERE user_id = $1', [userId, step]);
    return 'confirmed';
  }

  /** Takes a code of a confirmed factor, or a recovery code. False when it is wrong, or was taken before. */
  async redeem(userId: string, otp: string, by: Actor): Promise<boolean> {
    const code = bare(otp);
    return /^\d{6}$/.test(code) ? this.redeemTimed(userId, code) : this.redeemRecovery(userId, code, by);
  }

  /** Ten new recovery codes; those before end. */
  async newRecoveryCodes(userId: string, transaction: EntityManager): Promise<string[]> {
    const codes = Array.from({ length: RECOVERY_CODES }, makeUp);
    await transaction.query('DELETE FROM recovery_codes WHERE user_id = $1', [userId]);
    await transaction.query('INSERT INTO recovery_codes (user_id, hash) SELECT $1, unnest($2::bytea[])', [userId, codes.map((code) => sha256(bare(code)))]);
    return codes;
  }

  async recoveryCodesLeft(userId: string): Promise<number> {
    const [row] = await this.database.query<{ left: number }[]>('SELECT count(*)::integer AS left FROM recovery_codes WHERE user_id = $1', [userId]);
    return row?.left ?? 0;
  }

  /** The factor and its recovery codes; false when there is none confirmed. */
  async remove(userId: string, transaction: EntityManager): Promise<boolean> {
    const [rows] = await transaction.query<[{ confirmed: boolean }[], number]>(
      'DELETE FROM second_factors WHERE user_id = $1 RETURNING confirmed_at IS NOT NULL AS confirmed', [userId],
    );
    return rows[0]?.confirmed ?? false;
  }

  private async redeemTimed(userId: string, code: string): Promise<boolean> {
    const [factor] = await this.database.query<Secret[]>(
      `SELECT secret, created_at::text AS given, extract(epoch FROM now())::float8 AS now FROM second_factors WHERE user_id = $1 AND confirmed_at IS NOT NULL`,
      [userId],
    );
    const step = factor && this.stepOf(userId, code, factor);
    if (!factor || step == null) return false;
    // Of two log-ins with the same code one finds the step taken.
    const [taken] = await this.database.query<[unknown[], number]>(
      'UPDATE second_factors SET last_step = $2 WHERE user_id = $1 AND created_at = $3::timestamptz AND last_step < $2 RETURNING user_id', [userId, step, factor.given],
    );
    return taken.length > 0;
  }

  private async redeemRecovery(userId: string, code: string, by: Actor): Promise<boolean> {
    return this.database.transaction(async (transaction) => {
      const [taken] = await transaction.query<[unknown[], number]>(
        'DELETE FROM recovery_codes WHERE user_id = $1 AND hash = $2 RETURNING user_id', [userId, sha256(code)],
      );
      if (taken.length === 0) return false;
      await this.audit.record({ by, action: 'auth.use_recovery_code', target: { type: 'user', id: userId }, outcome: 'done' }, transaction);
      return true;
    });
  }

  /** The 30-second step that the code is of, when it is of this secret and of now. */
  private stepOf(userId: string, code: string, { secret, now }: Secret): number | null {
    const opened = this.cipher.open(secret, contextOf(userId));
    if (opened === null) this.log.error(`the second factor of ${userId} is sealed under a key that is not here: reset it`);
    if (opened === null || !/^\d{6}$/.test(code)) return null;
    const verdict = verifySync({ secret: opened, token: code, epoch: Math.floor(now), epochTolerance: TOLERANCE_SECONDS });
    return verdict.valid && 'timeStep' in verdict ? verdict.timeStep : null;
  }
}

const contextOf = (userId: string): string => `second-factor:${userId}`;
/** As people type it: with spaces, dashes and small letters. */
const bare = (otp: string): string => otp.replace(/[\s-]/g, '').toUpperCase();
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** 80 bits, in four groups of four. */
function makeUp(): string {
  const letters = Array.from(randomBytes(16), (byte) => BASE32[byte % BASE32.length]).join('');
  return letters.match(/.{4}/g)?.join('-') ?? letters;
}
