import { HttpClient } from '@angular/common/http';
import { inject, Injectable } from '@angular/core';
import type { Permission } from '@gwanje/contracts';
import { firstValueFrom } from 'rxjs';

/** One of the caller's log-ins; `current` is the one that asks. */
export interface OpenSession {
  id: string;
  address: string | null;
  userAgent: string | null;
  createdAt: string;
  lastUsedAt: string;
  current: boolean;
}

/** `permissions` is null for all of its owner's. */
export interface PersonalToken {
  id: string;
  name: string;
  permissions: Permission[] | null;
  expiresAt: string | null;
  lastUsedAt: string | null;
  createdAt: string;
}

export interface NewToken {
  name: string;
  permissions?: Permission[];
  expiresAt?: string;
}

/** One of the two. */
export type Proof = { otp: string } | { password: string };

/** The calls about one's own account. Each throws an HttpErrorResponse. */
@Injectable({ providedIn: 'root' })
export class ProfileApi {
  private readonly http = inject(HttpClient);

  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    await firstValueFrom(this.http.post('/api/auth/password', { currentPassword, newPassword }));
  }

  /** How many recovery codes are left. */
  async recoveryCodesLeft(): Promise<number> {
    const state = this.http.get<{ recoveryCodesLeft: number }>('/api/auth/second-factor');
    return (await firstValueFrom(state)).recoveryCodesLeft;
  }

  /** A secret that counts for nothing until it is confirmed. */
  beginSecondFactor(): Promise<{ secret: string; otpauthUri: string }> {
    return firstValueFrom(this.http.post<{ secret: string; otpauthUri: string }>('/api/auth/second-factor', null));
  }

  /** Answers the recovery codes. */
  async confirmSecondFactor(otp: string): Promise<string[]> {
    const answer = this.http.post<{ recoveryCodes: string[] }>('/api/auth/second-factor/confirm', { otp });
    return (await firstValueFrom(answer)).recoveryCodes;
  }

  async proveSecondFactor(otp: string): Promise<void> {
    await firstValueFrom(this.http.post('/api/auth/second-factor/prove', { otp }));
  }

  async endSecondFactor(proof: Proof): Promise<void> {
    await firstValueFrom(this.http.delete('/api/auth/second-factor', { body: proof }));
  }

  /** Answers new recovery codes; those before end. */
  async renewRecoveryCodes(proof: Proof): Promise<string[]> {
    const answer = this.http.post<{ recoveryCodes: string[] }>('/api/auth/second-factor/recovery-codes', proof);
    return (await firstValueFrom(answer)).recoveryCodes;
  }

  async sessions(): Promise<OpenSession[]> {
    return (await firstValueFrom(this.http.get<{ items: OpenSession[] }>('/api/auth/sessions'))).items;
  }

  async endSession(id: string): Promise<void> {
    await firstValueFrom(this.http.delete(`/api/auth/sessions/${encodeURIComponent(id)}`));
  }

  async endOtherSessions(): Promise<void> {
    await firstValueFrom(this.http.delete('/api/auth/sessions'));
  }

  async tokens(): Promise<PersonalToken[]> {
    return (await firstValueFrom(this.http.get<{ items: PersonalToken[] }>('/api/auth/tokens'))).items;
  }

  /** Answers the token itself, which no other call shows. */
  async createToken(token: NewToken): Promise<string> {
    return (await firstValueFrom(this.http.post<{ token: string }>('/api/auth/tokens', token))).token;
  }

  async revokeToken(id: string): Promise<void> {
    await firstValueFrom(this.http.delete(`/api/auth/tokens/${encodeURIComponent(id)}`));
  }
}
