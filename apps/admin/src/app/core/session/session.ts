import { HttpClient, HttpErrorResponse } from '@angular/common/http';
import { inject, Injectable, signal } from '@angular/core';
import { firstValueFrom } from 'rxjs';
import { type Problem, toProblem } from '../http/problem';
import type { Me, Tokens } from '../http/wire';
import { Preferences } from '../preferences';

/** Remembered so that a visitor who never logged in causes no call; says nothing about who it is. */
const HINT = 'session';
/** Renewed after this part of the token's life; milliseconds to the next attempt when the server was away. */
const RENEW_AT = 0.8;
const RENEW_AGAIN_MS = 15_000;

/**
 * Who is logged in. The access token is kept in memory only and renewed through the HttpOnly refresh cookie, which no script
 * can read. However many callers ask for a renewal at once, there is one.
 */
@Injectable({ providedIn: 'root' })
export class Session {
  private readonly http = inject(HttpClient);
  private readonly preferences = inject(Preferences);
  private readonly current = signal<Me | null>(null);
  private readonly fault = signal<Problem | null>(null);
  private accessToken: string | null = null;
  private renewal?: Promise<string>;
  private timer?: ReturnType<typeof setTimeout>;

  readonly user = this.current.asReadonly();
  /**
   * Why there is no session: it ended while somebody was at work, or an earlier one could not be restored and the server did not simply
   * say that it has ended. A log-out needs no reason.
   */
  readonly trouble = this.fault.asReadonly();

  get token(): string | null {
    return this.accessToken;
  }

  constructor() {
    // Logged out in another tab.
    this.preferences.onRemoved(HINT, () => this.end());
  }

  /** Takes up the session of an earlier visit; never throws. */
  async restore(): Promise<void> {
    if (!this.preferences.read(HINT)) return;
    await this.refresh().catch((error: unknown) => {
      const problem = toProblem(error);
      this.fault.set(problem.status === 401 ? null : problem);
    });
  }

  /** Throws the HttpErrorResponse; the problem's code `otp_required` asks for `otp`. */
  async logIn(credentials: { email: string; password: string; otp?: string }): Promise<void> {
    this.accept(await firstValueFrom(this.http.post<Tokens>('/api/auth/login', credentials)));
  }

  /** Before the browser leaves for a single sign-on: whoever comes back from it has a session to take up. */
  expectReturn(): void {
    this.preferences.write(HINT, '1');
  }

  /** Who the person is and what they may do as of now; what was known stays when the server does not say. */
  async readAgain(): Promise<void> {
    const me = await firstValueFrom(this.http.get<Me>('/api/auth/me')).catch(() => null);
    if (!me || me.id !== this.current()?.id || JSON.stringify(me) === JSON.stringify(this.current())) return;
    this.current.set(me);
  }

  async logOut(): Promise<void> {
    // A renewal under way would log in again with its answer.
    await this.renewal?.catch(() => undefined);
    try {
      await firstValueFrom(this.http.post('/api/auth/logout', null));
    } finally {
      this.end();
      this.fault.set(null);
    }
  }

  /** Answers the new access token; throws when there is none, and ends the session when the server says that it has ended. */
  refresh(): Promise<string> {
    this.renewal ??= this.renew().finally(() => (this.renewal = undefined));
    return this.renewal;
  }

  private async renew(): Promise<string> {
    try {
      const tokens = await firstValueFrom(this.http.post<Tokens>('/api/auth/refresh', null));
      this.accept(tokens);
      return tokens.accessToken;
    } catch (error) {
      if (error instanceof HttpErrorResponse && error.status === 401) {
        this.fault.set(toProblem(error));
        this.end();
      } else if (this.accessToken) this.renewLater(RENEW_AGAIN_MS);
      throw error;
    }
  }

  private accept({ accessToken, expiresIn, user }: Tokens): void {
    this.accessToken = accessToken;
    this.current.set(user);
    this.fault.set(null);
    this.preferences.write(HINT, '1');
    this.renewLater(expiresIn * 1_000 * RENEW_AT);
  }

  private renewLater(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.refresh().catch(() => undefined), milliseconds);
  }

  private end(): void {
    clearTimeout(this.timer);
    this.accessToken = null;
    this.current.set(null);
    this.preferences.write(HINT, null);
  }
}
