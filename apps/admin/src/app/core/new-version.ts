import { HttpClient } from '@angular/common/http';
import { DOCUMENT, inject, Injectable, signal } from '@angular/core';
import { takeUntilDestroyed } from '@angular/core/rxjs-interop';
import { type NavigationError, NavigationStart, Router } from '@angular/router';
import { filter, firstValueFrom } from 'rxjs';
import { type Problem, toProblem } from './http/problem';
import { Preferences } from './preferences';

const LAST = 'new-version-at';
/** A part that is missing again so soon after a reload is not a matter of versions. */
const AGAIN_MS = 60_000;

/** What to do when a part of the console, which is loaded when it is first needed, does not come. */
@Injectable({ providedIn: 'root' })
export class NewVersion {
  private readonly http = inject(HttpClient);
  private readonly preferences = inject(Preferences);
  private readonly document = inject(DOCUMENT);
  private readonly fault = signal<Problem | null>(null);

  /** Why a part did not come, if there is no new version to load; until the next page is asked for. */
  readonly problem = this.fault.asReadonly();

  constructor() {
    inject(Router)
      .events.pipe(
        filter((event) => event instanceof NavigationStart),
        takeUntilDestroyed(),
      )
      .subscribe(() => this.fault.set(null));
  }

  /**
   * The server has been updated since this page was loaded, and a part of the old console is gone: loads the new one at `url`. A server
   * that is away looks the same, and whoever left this page then would find the browser's own error: it is asked for its page first.
   */
  async load(error: unknown, url: string): Promise<void> {
    if (!/dynamically imported module|importing a module script/i.test(String(error))) return;
    try {
      const headers = { Accept: 'text/html' };
      await firstValueFrom(this.http.get('/', { headers, responseType: 'text', cache: 'no-store' }));
    } catch (away) {
      this.fault.set(toProblem(away));
      return;
    }
    if (Date.now() - Number(this.preferences.read(LAST) ?? 0) < AGAIN_MS) return this.fault.set(toProblem(error));
    this.preferences.write(LAST, `${Date.now()}`);
    this.document.location.assign(url);
  }
}

/** For the router. */
export function loadNewVersion({ error, url }: NavigationError): void {
  void inject(NewVersion).load(error, url);
}
